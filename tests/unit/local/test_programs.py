"""What the services of one machine are told: what `up` knows, and what a person has set."""

from appshield.bus import BusAccess
from appshield.local.programs import Surroundings, environment_of

SURROUNDINGS = Surroundings(
    cluster="test", kubeconfig="", context="", node="", kubelet_root="", holder_image=""
)
BUS = BusAccess(url="nats://127.0.0.1:4222", user="planner")


def test_settings_of_a_service_that_a_person_made_reach_that_service() -> None:
    """No other's, and none that `up` makes itself."""
    made = environment_of(
        "planner",
        bus=BUS,
        surroundings=SURROUNDINGS,
        ours={
            "APPSHIELD_PLANNER_SIGNALS": "ci.>=deployed",
            "APPSHIELD_PLANNER_CLUSTER": "another",
            "APPSHIELD_WATCHER_ADAPTERS": "helm",
        },
    )
    assert made["APPSHIELD_PLANNER_SIGNALS"] == "ci.>=deployed"
    assert made["APPSHIELD_PLANNER_CLUSTER"] == "test"
    assert "APPSHIELD_WATCHER_ADAPTERS" not in made
