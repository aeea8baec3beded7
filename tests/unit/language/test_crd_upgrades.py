"""A definition takes the place of another only where nothing that is stored is lost."""

from copy import deepcopy
from typing import Any

import pytest

from appshield.language.crd_upgrades import lost_fields, lost_versions, uses
from appshield.language.crds import crds

APPLICATION = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "Application")


def _changed() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a copy of the definition, and the properties of its spec."""
    made = deepcopy(APPLICATION)
    (version,) = made["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return made, schema["properties"]


def test_the_same_definition_loses_nothing() -> None:
    """And more fields lose nothing either."""
    more, properties = _changed()
    properties["new"] = {"type": "string"}
    assert lost_fields(APPLICATION, APPLICATION) == lost_fields(APPLICATION, more) == []


def test_fields_that_are_gone_are_named_by_their_path() -> None:
    """On top, below another, and inside a list."""
    less, properties = _changed()
    del properties["criticality"]
    del properties["resources"]["properties"]["selector"]["properties"]["matchLabels"]
    del properties["components"]["items"]["properties"]["quiesce"]
    assert lost_fields(APPLICATION, less) == [
        ("spec", "criticality"),
        ("spec", "resources", "selector", "matchLabels"),
        ("spec", "components", "*", "quiesce"),
    ]


def test_a_schema_that_keeps_everything_loses_nothing() -> None:
    """It says so itself."""
    whole, properties = _changed()
    properties["resources"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert lost_fields(APPLICATION, whole) == []


@pytest.mark.parametrize(
    ("path", "used"),
    [
        (("spec", "criticality"), True),
        (("spec", "type"), False),
        (("spec", "components", "*", "quiesce"), True),
        (("spec", "components", "*", "dump"), False),
        (("spec", "labels", "*"), True),
        (("spec", "criticality", "*"), False),
        (("spec", "criticality", "more"), False),
    ],
)
def test_a_field_is_used_where_an_object_has_a_value_for_it(
    path: tuple[str, ...], used: bool
) -> None:
    """Also in one of several items, also an empty value."""
    spec = {"criticality": "gold", "components": [{}, {"quiesce": {}}], "labels": {"a": "b"}}
    assert uses({"spec": spec}, path) is used


def test_a_version_in_which_objects_are_stored_is_not_lost() -> None:
    """The API server says in the definition's status in which versions it has stored objects."""
    present = APPLICATION | {"status": {"storedVersions": ["v1alpha1", "v1alpha0"]}}
    assert lost_versions(present, APPLICATION) == ["v1alpha0"]
    assert lost_versions(APPLICATION, APPLICATION) == []
