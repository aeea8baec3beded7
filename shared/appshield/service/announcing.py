"""A process that is alive says so in a bucket whose keys live briefly."""

import asyncio
import contextlib

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts.agents import Agent, agent_key
from appshield.contracts.streams import AGENTS
from appshield.errors import UnavailableError
from appshield.service.clock import SystemClock
from appshield.service.pausing import pause

_RENEWALS = 3


async def announce(bus: Bus, agent: Agent, stopping: asyncio.Event) -> None:
    """Renew `agent`'s record until told to stop, then remove it."""
    bucket = bus.bucket(AGENTS, Agent)
    clock = SystemClock()
    while not stopping.is_set():
        with contextlib.suppress(UnavailableError):
            await bucket.put(key_of(agent), replace(agent, seen_at=clock.now()))
        await pause(stopping, AGENTS.live_s / _RENEWALS)
    with contextlib.suppress(UnavailableError):
        await bucket.delete(key_of(agent))


def key_of(agent: Agent) -> str:
    """Name an agent's record: agents of a node by place, so that a successor takes it over."""
    return agent_key(agent.service, agent.cluster, agent.node or agent.worker)
