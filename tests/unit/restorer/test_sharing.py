"""Data that was saved once comes back wherever the document says it belongs."""

from typing import Any

from appshield.capture import CapturedComponent, CapturedHook
from appshield.restorer.feeding import loads_from_volumes
from appshield.restorer.sharing import shared_data


def _object(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    api_version = "apps/v1" if kind == "StatefulSet" else "v1"
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


OBJECTS = [
    _object("StatefulSet", "db", volumeClaimTemplates=[{"metadata": {"name": "data"}}]),
    *(_object("PersistentVolumeClaim", name) for name in ("data-db-0", "data-db-1", "data-db-2")),
    _object("PersistentVolumeClaim", "uploads"),
    _object("StatefulSet", "copy", volumeClaimTemplates=[{"metadata": {"name": "data"}}]),
    _object("PersistentVolumeClaim", "data-copy-0"),
]


def _component(**fields: Any) -> CapturedComponent:
    return CapturedComponent(name="db", workload_kind="StatefulSet", workload_name="db", **fields)


def test_every_other_replica_is_filled_from_the_one_that_was_saved() -> None:
    """The saved one is a target of its own and is not named here; other claims are not touched."""
    found = shared_data([_component(strategy="one-replica")], OBJECTS, ["data-db-1", "uploads"])
    assert [(one.claim, one.source) for one in found] == [
        ("data-db-0", "volumes/data-db-1"),
        ("data-db-2", "volumes/data-db-1"),
    ]


def test_replicas_that_were_saved_each_get_their_own_data() -> None:
    """With strategy snapshot a claim without data was left out on purpose."""
    assert shared_data([_component()], OBJECTS, ["data-db-0"]) == []


def test_a_replica_that_was_not_saved_has_nothing_to_give() -> None:
    """Without any data of the component there is no target."""
    assert shared_data([_component(strategy="one-replica")], OBJECTS, ["uploads"]) == []


def test_a_load_without_a_dump_works_on_the_restored_volumes() -> None:
    """With a dump it reads that, and strategy none restores nothing."""
    hook = CapturedHook(command=("load",))
    assert loads_from_volumes(_component(load=hook))
    assert loads_from_volumes(_component(load=hook, strategy="one-replica"))
    assert not loads_from_volumes(_component(load=hook, dump=hook))
    assert not loads_from_volumes(_component(load=hook, strategy="none"))
    assert not loads_from_volumes(_component())


def test_a_component_gets_the_data_of_the_one_that_it_names() -> None:
    """Matched by the template; a volume that the other one lacks is not filled."""
    copy = CapturedComponent(
        name="copy", workload_kind="StatefulSet", workload_name="copy", strategy="none",
        data_of="db",
    )  # fmt: skip
    found = shared_data([_component(), copy], OBJECTS, ["data-db-0", "data-db-1", "data-db-2"])
    assert [(one.claim, one.source) for one in found] == [("data-copy-0", "volumes/data-db-0")]
    assert shared_data([_component(), copy], OBJECTS, []) == []


def test_a_load_may_work_on_the_data_of_another_component() -> None:
    """That is how a dump on a volume of one workload is loaded by another."""
    hook = CapturedHook(command=("load",))
    assert loads_from_volumes(_component(load=hook, strategy="none", data_of="other"))
