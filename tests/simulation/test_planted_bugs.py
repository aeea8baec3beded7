"""The simulation finds what it is there to find: bugs planted on purpose, one at a time."""

import pytest

from simulation.planted import PLANTINGS
from simulation.seeds import broken_claims

SEEDS_MAX = 1_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PLANTINGS)
def test_a_planted_bug_is_found(name: str) -> None:
    """Within the seeds that every run of the suite tries."""
    plant, likely = PLANTINGS[name]
    for seed in (likely, *range(SEEDS_MAX)):
        with plant():
            if broken_claims(seed):
                return
    pytest.fail(f"{SEEDS_MAX} seeds see nothing wrong with: {name}")
