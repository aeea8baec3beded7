"""What of an unfinished restore is gone on with, and what is left alone because people use it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from appshield.restorer.marking import RESTORING
from appshield.restorer.targets import CONTINUED_WITHIN_S, in_use_since_long

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MARK = "a-0f.1"


def workload(*, age_s: float, available: int = 1, mark: str = MARK) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "generation": 1,
            "annotations": {RESTORING: mark},
            "creationTimestamp": (NOW - timedelta(seconds=age_s)).isoformat(),
        },
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": available,
            "readyReplicas": available,
            "conditions": [],
        },
    }


def test_an_unfinished_restore_that_people_work_with_is_in_the_way() -> None:
    """It runs since long: to go on would stop it and throw away what was written since."""
    old = workload(age_s=CONTINUED_WITHIN_S + 60)
    assert in_use_since_long([old, None], MARK, NOW) == [old]


def test_a_fresh_one_and_one_that_does_not_run_are_gone_on_with() -> None:
    """That is what an interrupted restore looks like."""
    fresh = workload(age_s=60)
    broken = workload(age_s=CONTINUED_WITHIN_S + 60, available=0)
    other = workload(age_s=CONTINUED_WITHIN_S + 60, mark="a-0f.2")
    assert in_use_since_long([fresh, broken, other], MARK, NOW) == []
