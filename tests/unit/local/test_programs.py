"""What the services of one machine are told: what `up` knows, and what a person has set."""

import pytest
from msgspec.structs import replace

from appshield.bus import BusAccess
from appshield.local.programs import (
    NODE_AGENTS,
    SERVICES,
    Surroundings,
    environment_of,
    programs_of,
)

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


ON_NODE = replace(
    SURROUNDINGS, node="n-1", kubeconfig="/admin", context="admin", agents_kubeconfig="/agents"
)


@pytest.mark.parametrize("agent", NODE_AGENTS)
def test_an_agent_is_told_its_node_and_its_own_account(agent: str) -> None:
    """Neither the way into the cluster that services have, nor what is for one process alone."""
    begins = f"APPSHIELD_{agent.removesuffix('-agent').upper()}_"
    ours = {f"{begins}HEALTH_PORT": "8080", f"{begins}WORKERS": "1", f"{begins}NODE": "n-2"}
    made = environment_of(agent, bus=BUS, surroundings=ON_NODE, ours=ours)
    assert made[f"{begins}NODE"] == "n-1"
    assert made[f"{begins}KUBECONFIG"] == "/agents"
    assert made[f"{begins}WORKERS"] == "1"
    assert {f"{begins}CONTEXT", f"{begins}HEALTH_PORT"}.isdisjoint(made)
    assert "/admin" not in made.values()


@pytest.mark.parametrize("service", ["uploader", "restorer"])
def test_a_service_that_has_agents_is_told_no_node(service: str) -> None:
    """It would be one of them."""
    begins = f"APPSHIELD_{service.upper()}_"
    ours = {f"{begins}NODE": "n-1", f"{begins}HEALTH_PORT": "8080"}
    made = environment_of(service, bus=BUS, surroundings=ON_NODE, ours=ours)
    assert f"{begins}NODE" not in made
    assert made[f"{begins}HEALTH_PORT"] == "8080"
    assert made[f"{begins}KUBECONFIG"] == "/admin"


def test_agents_run_where_there_is_a_node() -> None:
    """Elsewhere the services alone."""
    assert programs_of("n-1") == (*SERVICES, *NODE_AGENTS)
    assert programs_of("") == SERVICES
