"""Run the simulation for a seed, and say what does not hold."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from simulation import claims, virtual_time
from simulation.chance import Chance
from simulation.stories import Story, some_days_work
from simulation.world import NoRestError, World


def broken_claims(
    seed: int, chance: Chance | None = None, *, story: Story = some_days_work
) -> list[str]:
    """Live through what a seed decides and list every claim that does not hold then."""
    return _lived(seed, chance, story)[0]


def trace_of(seed: int) -> list[str]:
    """List all that happens under a seed, in order."""
    return _lived(seed, None, some_days_work)[1]


def _lived(seed: int, chance: Chance | None, story: Story) -> tuple[list[str], list[str]]:
    async def live() -> tuple[list[str], list[str]]:
        world = World(seed, chance)
        try:
            await world.live(story)
            broken = await claims.broken(world)
        except NoRestError as error:
            broken = [str(error)]
        world.chance.over = True
        return broken, world.trace

    with silence():
        return virtual_time.run(live())


@contextmanager
def silence() -> Iterator[None]:
    """Log nothing: a thousand stories have much to say."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
