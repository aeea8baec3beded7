"""What every service has: settings from the environment, logs, a clock, health, a run loop, steps.

`settings` reads one typed group of settings, all errors at once; `running` runs a service until it
is told to stop; `steps` turns orders into outcomes, once in effect.
"""

from appshield.service.announcing import announce
from appshield.service.blocking import Cancelled, run_blocking, run_bulk
from appshield.service.clock import Clock, SystemClock
from appshield.service.cycles import look_for_cycles_rarely, put_aside
from appshield.service.health import Health, serve_health
from appshield.service.joining import Joined, joined
from appshield.service.logs import set_up_logs
from appshield.service.pausing import pause
from appshield.service.run_logs import run_logs_forwarded
from appshield.service.running import (
    exit_code,
    run_service,
    serve_until_told,
    start_service,
)
from appshield.service.settings import ServiceSettings, read_settings
from appshield.service.together import both, together

__all__ = [
    "Cancelled",
    "Clock",
    "Health",
    "Joined",
    "ServiceSettings",
    "SystemClock",
    "announce",
    "both",
    "exit_code",
    "joined",
    "look_for_cycles_rarely",
    "pause",
    "put_aside",
    "read_settings",
    "run_blocking",
    "run_bulk",
    "run_logs_forwarded",
    "run_service",
    "serve_health",
    "serve_until_told",
    "set_up_logs",
    "start_service",
    "together",
]
