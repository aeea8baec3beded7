"""What was read becomes what is kept, or is refused with everything that is wrong."""

from typing import Any

import msgspec
import pytest

from appshield.application.capturing import capture, is_finished_job, kinds_of, profiles_of
from appshield.application.readiness import plan_of
from appshield.application.reading import Reading
from appshield.errors import RefusedError
from appshield.kubernetes import Object
from appshield.language.in_force import document_in_force
from appshield.language.profiles import shipped_profiles
from appshield.language.resolving import resolve, revision
from appshield.manifests.membership import select
from unit.manifests import shop

DATABASE = {"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}


def reading(*more: Object, components: tuple[Any, ...] = (DATABASE,), **world: Any) -> Reading:
    """Read the shop as it stands, with what a test adds."""
    made = shop.Shop()
    document: Object = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "shop",
            "namespace": shop.NAMESPACE,
            "uid": "u-1",
            "resourceVersion": "9",
        },
        "spec": {"type": "web", "components": list(components)},
        "status": {"inForce": "{}", "lastVersion": 3},
    }
    application = resolve(document_in_force(document)[1])
    objects = (*made.objects, *more)
    return Reading(
        document=document,
        application=application,
        namespace=shop.make("v1", "Namespace", shop.NAMESPACE, namespace=""),
        objects=objects,
        membership=select(application, objects),
        pods=tuple(made.pods),
        claims=tuple(world.get("claims", made.claims)),
        volumes=tuple(world.get("volumes", made.volumes)),
        snapshot_classes=tuple(made.snapshot_classes),
        profiles=shipped_profiles(),
        notes=(),
        of_one_moment=True,
    )


def names(found: tuple[Object, ...], kind: str) -> list[str]:
    return [obj["metadata"]["name"] for obj in found if obj["kind"] == kind]


def test_members_are_kept_clean_with_their_images_pinned() -> None:
    """No field that a server owns, no status; every image by its digest; the namespace with it."""
    read = reading()
    captured = capture(read, plan_of(read).volumes)
    [database] = [obj for obj in captured.objects if obj["kind"] == "StatefulSet"]
    assert {"uid", "resourceVersion", "managedFields"} & set(database["metadata"]) == set()
    assert "status" not in database
    [container] = database["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.local:5000/postgres:15@{shop.DIGEST_DB}"
    assert [image.digest for image in captured.images] == [shop.DIGEST_WEB, shop.DIGEST_DB]
    assert names(captured.objects, "Namespace") == [shop.NAMESPACE]
    assert names(captured.objects, "Pod") == []


def test_the_document_is_kept_without_what_became_of_it() -> None:
    """Its status belongs to the object that is there, not to a version."""
    read = reading()
    captured = capture(read, plan_of(read).volumes)
    assert "status" not in captured.document
    assert captured.document["spec"] == read.document["spec"]
    assert captured.revision == read.application.revision


def test_a_job_that_has_ended_is_left_out() -> None:
    """Restored, it would run again."""
    ended = {"conditions": [{"type": "Complete", "status": "True"}]}
    going = {"conditions": [{"type": "Complete", "status": "False"}]}
    read = reading(
        shop.make("batch/v1", "Job", "migrated", status=ended),
        shop.make("batch/v1", "Job", "migrating", status=going),
    )
    assert names(capture(read, ()).objects, "Job") == ["migrating"]
    assert not is_finished_job({"kind": "Job", "apiVersion": "elsewhere.io/v1", "status": ended})


def test_two_readings_of_the_same_are_the_same_bytes() -> None:
    """So that a change while the point in time was cut is seen."""
    read = reading()
    plan = plan_of(read).volumes
    assert capture(read, plan).encode() == capture(reading(), plan).encode()
    other = capture(reading(shop.config_map("new")), plan)
    assert other.encode() != capture(read, plan).encode()
    assert type(other).decode(other.encode()) == other


def test_profiles_that_components_take_values_from_are_named_by_their_content() -> None:
    """One that nobody knows gave nothing; another description is another content."""
    postgresql = {**DATABASE, "profile": "database/postgresql"}
    named_only = {"name": "web", "workload": {"kind": "Deployment", "name": "web"}, "profile": "x"}
    [taken] = profiles_of(reading(components=(postgresql, named_only)))
    shipped = shipped_profiles().of("database/postgresql")
    assert shipped is not None
    assert (taken.kind, taken.name) == ("Profile", shipped.metadata.name)
    assert taken.revision == revision(shipped.spec)
    own = msgspec.structs.replace(shipped.spec, description="ours")
    assert revision(own) != taken.revision
    assert profiles_of(reading(components=(named_only,))) == ()


def test_all_that_cannot_be_saved_is_told_at_once() -> None:
    """A claim without a volume, a workload that does not exist."""
    world = shop.Shop()
    absent = {"name": "cache", "workload": {"kind": "Deployment", "name": "absent"}}
    read = reading(
        shop.claim("waiting"),
        components=(DATABASE, absent),
        claims=[*world.claims, shop.claim("waiting")],
        volumes=world.volumes,
    )
    with pytest.raises(RefusedError) as caught:
        plan_of(read)
    assert "waiting: the claim is not bound (its phase is Pending)" in caught.value.why
    assert "component cache: its Deployment absent does not exist" in caught.value.why
    assert caught.value.next_step


def test_hooks_are_kept_as_they_are_resolved() -> None:
    """Whoever keeps the promise to resume has only what was captured."""
    hooks = {
        "quiesce": {"command": ["freeze"], "timeout": "7s", "onError": "continue"},
        "resume": {"command": ["thaw"], "container": "postgres", "pods": "any"},
    }
    read = reading(components=({**DATABASE, **hooks},))
    [part] = capture(read, ()).components
    assert part.quiesce
    assert (part.quiesce.command, part.quiesce.timeout_s) == (("freeze",), 7)
    assert part.quiesce.on_error == "continue"
    assert part.resume
    assert (part.resume.container, part.resume.pods) == ("postgres", "any")
    assert msgspec.json.decode(capture(read, ()).encode())["format"] == 1


def test_kinds_are_named_with_their_group() -> None:
    """Each once: who restores must be able to create them."""
    objects = [
        shop.make("v1", "ConfigMap", "one"),
        shop.make("v1", "ConfigMap", "two"),
        shop.make("apps/v1", "Deployment", "web"),
    ]
    assert kinds_of(objects) == ("ConfigMap", "Deployment.apps")
