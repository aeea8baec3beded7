"""The message bus: what services meet on, and the only library that knows NATS.

async with connect_bus(access, name="planner") as bus:
    await bus.publish(message)
    await bus.consume(PLANNER_FACTS, handle, stopping=stopping)
"""

from appshield.bus.access import BusAccess
from appshield.bus.connecting import connect_bus
from appshield.bus.dead import DeadLetter, DeadLetters
from appshield.bus.errors import (
    BusFullError,
    KeyExistsError,
    NobodyAnswersError,
    NotStoredError,
    Reject,
    Retry,
    StaleRevisionError,
)
from appshield.bus.port import Bucket, Bus, Handler, Listener, Since
from appshield.bus.shared_watch import SharedWatch, Watchable
from appshield.bus.tracing import trace_id
from appshield.bus.values import Change, Delivery, Entry, Receipt, Stored

__all__ = [
    "Bucket",
    "Bus",
    "BusAccess",
    "BusFullError",
    "Change",
    "DeadLetter",
    "DeadLetters",
    "Delivery",
    "Entry",
    "Handler",
    "KeyExistsError",
    "Listener",
    "NobodyAnswersError",
    "NotStoredError",
    "Receipt",
    "Reject",
    "Retry",
    "SharedWatch",
    "Since",
    "StaleRevisionError",
    "Stored",
    "Watchable",
    "connect_bus",
    "trace_id",
]
