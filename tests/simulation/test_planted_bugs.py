"""The simulation finds what it is there to find: bugs planted on purpose, one at a time."""

import pytest

from simulation.planted import PLANTED
from simulation.seeds import broken_claims

SEEDS_MAX = 1_000


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
