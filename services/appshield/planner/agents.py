"""Consumers of agents: made when one announces itself, removed when its node is long gone.

An agent that restarts within the grace finds its consumer and the orders that wait in it. Orders
for a node that is gone are purged; the deadline of their step plans them again.
"""

import asyncio

from appshield.bus import Bus
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import Agent
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.contracts.streams import AGENTS

GONE_S = 600.0


async def keep_agent_consumers(bus: Bus, stopping: asyncio.Event) -> None:
    """Follow the announcements until told to stop."""
    loop = asyncio.get_running_loop()
    present: dict[str, ConsumerSpec] = {}
    removals: dict[str, asyncio.TimerHandle] = {}
    removing: set[asyncio.Task[None]] = set()

    def remove(key: str) -> None:
        removals.pop(key, None)
        task = loop.create_task(bus.remove_consumer(present.pop(key), purge=True))
        removing.add(task)
        task.add_done_callback(removing.discard)

    async for change in bus.bucket(AGENTS, Agent).watch("", stopping=stopping):
        if change.value is not None and (spec := consumer_of(change.value)) is not None:
            if (removal := removals.pop(change.key, None)) is not None:
                removal.cancel()
            if change.key not in present:
                await bus.ensure_consumer(spec)
            present[change.key] = spec
        elif change.value is None and change.key in present and change.key not in removals:
            removals[change.key] = loop.call_later(GONE_S, remove, change.key)
    for removal in removals.values():
        removal.cancel()


def consumer_of(agent: Agent) -> ConsumerSpec | None:
    """Name the consumer that an agent needs; only those that reach volumes of a node do."""
    if agent.node and agent.service in {"uploader", "restorer"}:
        return agent_consumer(agent.service, agent.cluster, agent.node)
    return None
