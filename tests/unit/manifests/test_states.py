"""A digest tells whether a version holds an object as it stands."""

import copy

from appshield.manifests.states import STATES_MAX, state_of, states
from unit.manifests.shop import Shop, config_map, make


def test_what_the_server_and_autoscalers_change_is_no_change() -> None:
    """Status, annotations, versions and replicas leave the digest as it is."""
    web = Shop().web
    later = copy.deepcopy(web)
    later["metadata"].update(resourceVersion="2000", annotations={"a": "b"})
    later["status"] = {"readyReplicas": 3}
    later["spec"]["replicas"] = 17
    assert state_of(later) == state_of(web)


def test_another_template_is_a_change() -> None:
    """A new image is told apart."""
    web = Shop().web
    later = copy.deepcopy(web)
    later["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    assert state_of(later) != state_of(web)


def test_only_workloads_and_claims_are_remembered() -> None:
    """Each by kind and name; what a gate does not protect is left out."""
    shop = Shop()
    found = states([shop.web, shop.database, *shop.claims, shop.service, config_map("settings")])
    assert {name.partition("/")[0] for name in found} == {
        "Deployment",
        "StatefulSet",
        "PersistentVolumeClaim",
    }


def test_the_list_fits_into_a_message() -> None:
    """However many there are."""
    many = [make("v1", "PersistentVolumeClaim", f"c-{n}", spec={}) for n in range(STATES_MAX + 9)]
    assert len(states(many)) == STATES_MAX
