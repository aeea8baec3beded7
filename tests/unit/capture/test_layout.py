"""Where things lie in a version: one place for each, and nothing of it outside."""

from itertools import combinations
from typing import Any

import pytest

from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook
from appshield.capture.layout import (
    APPLICATION_FILE,
    MANIFESTS,
    dump_source,
    files_of,
    manifest_path,
    volume_source,
)


def obj(api_version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


OBJECTS = (
    obj("v1", "Service", "web"),
    obj("serving.knative.dev/v1", "Service", "web"),
    obj("v1", "Secret", "web", data={"k": "djE="}),
    obj("rbac.authorization.k8s.io/v1", "Role", "system:reader"),
)
APPLICATION = CapturedApplication(
    namespace="shop",
    name="shop",
    uid="u-1",
    revision="r-1",
    document={"kind": "Application"},
    objects=OBJECTS,
    components=(CapturedComponent(name="db", dump=CapturedHook(command=("dump",))),),
)


@pytest.mark.parametrize(("one", "other"), list(combinations(OBJECTS, 2)))
def test_two_objects_never_share_a_file(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Kinds of the same name in two groups are two."""
    assert manifest_path(one) != manifest_path(other)


def test_every_object_is_a_file_of_its_own_that_people_can_read() -> None:
    """Under its kind with group; the application itself without its objects."""
    files = files_of(APPLICATION)
    assert set(files) == {
        APPLICATION_FILE,
        "manifests/service/web.json",
        "manifests/service.serving.knative.dev/web.json",
        "manifests/secret/web.json",
        "manifests/role.rbac.authorization.k8s.io/system:reader.json",
    }
    assert files["manifests/secret/web.json"].endswith(b"}\n")
    about = CapturedApplication.decode(files[APPLICATION_FILE])
    assert (about.objects, about.components) == ((), APPLICATION.components)


def test_the_same_application_is_the_same_bytes() -> None:
    """Whatever order the fields of an object came in, so that unchanged files are stored once."""
    turned = tuple(dict(reversed(one.items())) for one in OBJECTS)
    other = CapturedApplication(
        **{name: getattr(APPLICATION, name) for name in APPLICATION.__struct_fields__}
        | {"objects": turned}
    )
    assert files_of(other) == files_of(APPLICATION)


def test_sources_lie_beside_the_manifests() -> None:
    """Each in the folder of its kind."""
    assert volume_source("data-db-0") == "volumes/data-db-0"
    assert dump_source("db") == "dumps/db"
    assert all(path.startswith((f"{MANIFESTS}/", "appshield/")) for path in files_of(APPLICATION))


def test_a_field_that_is_not_known_is_passed_over() -> None:
    """A newer AppShield adds fields; versions stay readable."""
    newer = APPLICATION.encode().replace(b'"format":1', b'"format":1,"later":true')
    assert b"later" in newer
    assert CapturedApplication.decode(newer) == APPLICATION
