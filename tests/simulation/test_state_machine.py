"""However hypothesis uses the system, and whatever it lets happen, every claim holds."""

import pytest

from simulation.machine import explore

EXAMPLES = 150


@pytest.mark.timeout(300)
def test_the_system_keeps_its_claims_however_it_is_used() -> None:
    """What must never be is looked for after each step, and all else once everything drained."""
    explore(EXAMPLES)
