"""How AppShield itself is: which of its services are alive, and what is wrong."""

from datetime import datetime

import msgspec

from appshield.bus import Bus
from appshield.contracts.agents import Agent
from appshield.contracts.streams import AGENTS

_NEEDED = ("watcher", "planner", "snapshotter", "uploader", "restorer")


class ServiceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A process of AppShield that is alive; with a `node` it reaches the volumes there."""

    service: str
    cluster: str
    worker: str
    node: str
    seen_at: datetime


class AppShieldHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How AppShield itself is: `problems` is empty while all is well."""

    services: tuple[ServiceSeen, ...]
    problems: tuple[str, ...]


async def own_health(bus: Bus) -> AppShieldHealth:
    """Say which services are alive, and what is missing.

    Raises:
        UnavailableError: the bus cannot be reached.
    """
    agents = [entry.value async for entry in bus.bucket(AGENTS, Agent).items()]
    services = [
        ServiceSeen(
            service=agent.service,
            cluster=agent.cluster,
            worker=agent.worker,
            node=agent.node,
            seen_at=agent.seen_at,
        )
        for agent in sorted(agents, key=lambda one: (one.service, one.node, one.worker))
    ]
    alive = {agent.service for agent in agents if not agent.node}  # agents of nodes do a part
    missing = [f"no {one} is alive" for one in _NEEDED if one not in alive]
    problem = await bus.health()
    return AppShieldHealth(
        services=tuple(services), problems=tuple(filter(None, [*missing, problem]))
    )
