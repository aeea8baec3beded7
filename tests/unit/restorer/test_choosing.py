"""What of a version paths choose: objects, volumes, parts of volumes, dumps."""

from typing import Any

import pytest
from msgspec.structs import replace

from appshield.capture.captured import CapturedApplication, CapturedComponent, CapturedVolume
from appshield.contracts.restores import PlanRestore
from appshield.errors import InvalidInputError, NotFoundError, RefusedError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import Reader, Repository, RepositoryLock, Writer
from appshield.repository.files import store_documents
from appshield.restorer.choosing import Choice
from appshield.restorer.planning import dumps_to_load
from appshield.restorer.reading import VersionContent
from repository_content import PASSWORD, SWIFT
from restore_orders import order

FILES = {
    "manifests/secret/credentials.json": b"{}",
    "manifests/configmap/settings.json": b"{}",
    "volumes/data/etc/a.conf": b"a",
    "volumes/data/etc/deep/b.conf": b"b",
    "volumes/data/rows/1": b"1",
    "volumes/other/rows/1": b"2",
    "dumps/db": b"dump",
}


@pytest.fixture(scope="module")
def version() -> tuple[Reader, bytes]:
    """A repository with one version, and its root."""
    repository = Repository.create(MemoryObjectStore(), PASSWORD)
    with (
        RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock,
        Writer(repository, lock) as writer,
    ):
        root = store_documents(FILES, writer, mtime_ns=0)
    return Reader(repository), root


@pytest.mark.parametrize(
    ("paths", "volumes"),
    [
        ((), ["data", "other"]),
        (("volumes",), ["data", "other"]),
        (("volumes/other",), ["other"]),
        (("volumes/data/etc",), ["data"]),
        (("volumes/**/*.conf",), ["data"]),
        (("**/rows",), ["data", "other"]),
        (("manifests",), []),
        (("manifests/secret/*", "volumes/data"), ["data"]),
    ],
)
def test_volumes_are_those_of_which_anything_is_chosen(
    version: tuple[Reader, bytes], paths: tuple[str, ...], volumes: list[str]
) -> None:
    """A claim is not made for a volume in which a pattern finds nothing."""
    reader, root = version
    choice = Choice(paths)
    choice.ensure_held(reader, root)
    nodes = reader.read_tree(reader.find(root, "volumes").subtree or b"")
    reached = [
        node.name.decode()
        for node in nodes
        if choice.reaches(reader, f"volumes/{node.name.decode()}", node)
    ]
    assert reached == volumes


def test_part_of_a_volume_is_chosen_by_paths_within_it() -> None:
    """A whole one needs no choice any more."""
    choice = Choice(("volumes/data/etc", "volumes/other", "manifests/secret"))
    assert choice.below("volumes/other") is None
    within = choice.below("volumes/data")
    assert within is not None
    assert (within.wants(b"etc"), within.wants(b"rows")) == (True, False)
    assert choice.covers("manifests/secret/credentials.json")
    assert not choice.covers("manifests")
    assert not choice.covers("manifests/configmap/settings.json")


@pytest.mark.parametrize(
    "path", ["volumes/none", "manifests/*/none.json", "volumes/data/etc/*.xml"]
)
def test_a_path_for_which_there_is_nothing_is_named(
    version: tuple[Reader, bytes], path: str
) -> None:
    """Also when another one finds something."""
    with pytest.raises(NotFoundError, match="holds nothing at"):
        Choice(("volumes", path)).ensure_held(*version)


@pytest.mark.parametrize("path", ["appshield/version.json", "etc/passwd"])
def test_a_path_that_is_no_part_of_the_application_is_refused(
    version: tuple[Reader, bytes], path: str
) -> None:
    """With what it must begin with."""
    with pytest.raises(InvalidInputError, match="manifests, volumes, dumps or images"):
        Choice((path,)).ensure_held(*version)


ORDER = order(PlanRestore, "plan", "s")
STATEFUL_SET = {"kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"}}


def content(strategy: Any, *, objects: tuple[Any, ...] = (), volumes: tuple[str, ...] = ()) -> Any:
    component = CapturedComponent(
        name="db", workload_kind="StatefulSet", workload_name="db", strategy=strategy
    )
    application = CapturedApplication(
        namespace="shop",
        name="shop",
        uid="u",
        revision="r",
        document={},
        objects=(),
        components=(component,),
        volumes=(CapturedVolume(claim="data", component="db", method="snapshot"),),
    )
    return VersionContent(
        root=b"",
        application=application,
        waves=(objects,),
        volumes=volumes,
        dumps=("db",),
        warnings=(),
    )


def test_a_dump_that_is_the_only_data_is_loaded_into_what_was_made() -> None:
    """One that is an extra copy is not, unless a path names it."""
    assert dumps_to_load(content("dump", objects=(STATEFUL_SET,)), ORDER)
    assert not dumps_to_load(content("snapshot", objects=(STATEFUL_SET,)), ORDER)
    named = replace(ORDER, paths=("manifests", "dumps/db"))
    assert dumps_to_load(content("snapshot", objects=(STATEFUL_SET,)), named)


def test_no_dump_is_loaded_over_data_unasked() -> None:
    """Neither onto what exists, nor into what runs already, nor beside the restored volume."""
    existing = replace(ORDER, existing=True)
    assert not dumps_to_load(content("dump", objects=(STATEFUL_SET,)), existing)
    named = replace(ORDER, paths=("dumps/db",))
    with pytest.raises(RefusedError, match="runs already"):
        dumps_to_load(content("dump"), named)
    assert dumps_to_load(content("dump"), replace(named, existing=True))
    with pytest.raises(InvalidInputError, match="both chosen"):
        dumps_to_load(content("snapshot", volumes=("data",)), replace(named, existing=True))
