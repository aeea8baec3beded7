"""The simulation finds what it is there to find: bugs planted on purpose, one at a time."""

import pytest

from simulation.machine import explore
from simulation.planted import PLANTED
from simulation.seeds import broken_claims
from simulation.virtual_time import StuckError

SEEDS_MAX = 1_000
EXAMPLES_MAX = 400


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str) -> None:
    """Within the seeds that every run of the suite tries."""
    planted = PLANTED[name]
    for seed in (planted.likely, *range(SEEDS_MAX)):
        with planted.plant():
            if broken_claims(seed, story=planted.story):
                return
    pytest.fail(f"{SEEDS_MAX} seeds see nothing wrong with: {name}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name, bug in PLANTED.items() if bug.by_use])
def test_a_planted_bug_is_found_by_use(name: str) -> None:
    """By the state machine, whose single steps tell what leads to it."""
    with PLANTED[name].plant(), pytest.raises((AssertionError, StuckError)):
        explore(EXAMPLES_MAX, shrink=False)
