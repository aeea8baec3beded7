"""What a restore reads of a version: all that is asked for, or all of it that is not damaged."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.capture.captured import CapturedApplication
from appshield.capture.layout import files_of
from appshield.contracts.restores import PlanRestore
from appshield.errors import DamagedError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import Reader, Repository, RepositoryLock, Writer
from appshield.repository.files import store_documents
from appshield.restorer.reading import VersionContent, read_version
from repository_content import PASSWORD, SWIFT
from restore_orders import order, published

SECRET = "manifests/secret/credentials.json"
CLAIM = "manifests/persistentvolumeclaim/data.json"


def manifest(kind: str, name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


class Version:
    """One version in a repository in memory, of which objects can be damaged."""

    def __init__(self) -> None:
        application = CapturedApplication(
            namespace="shop",
            name="shop",
            uid="u",
            revision="r",
            document=manifest("Application", "shop"),
            objects=(
                manifest("Secret", "credentials"),
                manifest("ConfigMap", "settings"),
                manifest("PersistentVolumeClaim", "data"),
            ),
        )
        files = {**files_of(application), "volumes/data/rows/1": b"1", "volumes/data/etc/a": b"a"}
        self.store = MemoryObjectStore()
        self.repository = Repository.create(self.store, PASSWORD)
        with RepositoryLock.acquire(self.repository, owner="test", timing=SWIFT) as lock:
            with Writer(self.repository, lock) as writer:
                self.root = store_documents(files, writer, mtime_ns=0)
            snapshot_id = published(self.repository, self.root, lock)
        self.order = order(PlanRestore, "plan", snapshot_id)

    def damage(self, *paths: str) -> None:
        """Flip a bit of what these paths hold."""
        for path in paths:
            node = Reader(self.repository).find(self.root, path)
            kind: Any = "tree" if node.subtree else "data"
            blob = node.subtree or (node.content or ())[0]
            place = self.repository.load_index().lookup(kind, blob)
            assert place is not None
            name = f"data/{place.pack_id[:2]}/{place.pack_id}"
            stored = bytearray(self.store.get(name))
            stored[place.entry.offset + 20] ^= 1
            self.store.put(name, bytes(stored))

    async def read(self, *paths: str, keep_going: bool = False) -> VersionContent:
        held: Any = SimpleNamespace(repository=Repository.open(self.store, PASSWORD))
        return await read_version(held, replace(self.order, paths=paths, keep_going=keep_going))


@pytest.fixture
def version() -> Version:
    return Version()


def names(content: VersionContent) -> set[str]:
    return {f"{obj['kind']} {obj['metadata']['name']}" for obj in content.objects}


async def test_all_of_it_or_what_paths_choose(version: Version) -> None:
    """A claim comes with its data; the application's document with all objects only."""
    everything = await version.read()
    assert names(everything) == {
        "Secret credentials",
        "ConfigMap settings",
        "PersistentVolumeClaim data",
        "Application shop",
    }
    assert everything.volumes == ("data",)
    part = await version.read("volumes/data/etc")
    assert (names(part), part.volumes) == ({"PersistentVolumeClaim data"}, ("data",))
    secrets = await version.read("manifests/secret")
    assert (names(secrets), secrets.volumes) == ({"Secret credentials"}, ())
    assert names(await version.read("manifests")) == names(everything)


async def test_a_damaged_object_is_named_and_nothing_is_restored_without_it(
    version: Version,
) -> None:
    """Unless it is not asked for at all."""
    version.damage(SECRET)
    with pytest.raises(DamagedError, match=SECRET):
        await version.read()
    assert names(await version.read("manifests/configmap")) == {"ConfigMap settings"}


async def test_who_keeps_going_gets_all_the_rest_and_is_told_what_is_lost(
    version: Version,
) -> None:
    """Volumes are part of the rest."""
    version.damage(SECRET)
    content = await version.read(keep_going=True)
    assert "Secret credentials" not in names(content)
    assert "ConfigMap settings" in names(content)
    assert content.volumes == ("data",)
    [lost] = content.lost
    assert lost.startswith(SECRET)


@pytest.mark.parametrize("path", ["manifests", "manifests/secret"])
async def test_a_damaged_folder_of_objects_is_lost_as_one(version: Version, path: str) -> None:
    """Its name is told; what else there is comes back."""
    version.damage(path)
    content = await version.read(keep_going=True)
    assert content.lost[0].startswith(f"{path}: ")
    assert ("ConfigMap settings" in names(content)) == (path != "manifests")


async def test_a_volume_whose_claim_is_lost_is_lost_with_it(version: Version) -> None:
    """There is nothing to restore it into; it is said, not passed over."""
    version.damage(CLAIM)
    content = await version.read(keep_going=True)
    assert content.volumes == ()
    assert content.lost[1] == "volumes/data: its claim is lost"
