"""What surrounds the services of the matrix: a cluster, a Vault, and what is in them at rest."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.capture.layout import run_tag, version_tag, volume_source
from appshield.contracts import streams
from appshield.contracts.agents import Agent
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import SYSTEM_NAMESPACE, AppRef
from appshield.contracts.runs import Run
from appshield.custody import Custody
from appshield.kubernetes import kinds
from appshield.objectstore import MemoryObjectStore
from appshield.podvolumes import RUN_LABEL, opening
from appshield.repository import Reader, Repository, keys
from appshield.restorer.marking import RESTORING
from appshield.vault import Vault, VaultAccess, export_root_key, finding
from fixed_clock import FixedClock
from matrix.acting_cluster import AT_REST, CLAIM, ROWS, SETTINGS, ActingKubernetes
from matrix.ports import ProcessStore
from matrix.process import RUNNING

_VAULT = "primary"
_ROOT_KEY = bytes(range(32))
_MADE = (kinds.POD, kinds.PVC, kinds.VOLUME_SNAPSHOT, kinds.VOLUME_SNAPSHOT_CONTENT)
_MUCH_LATER = datetime(2100, 1, 1, tzinfo=UTC)
_RESTORED = (kinds.CONFIG_MAP, kinds.STATEFUL_SET, kinds.PVC)


class Surroundings:
    """See the module; made by `surroundings`."""

    def __init__(self, kubernetes: ActingKubernetes, app: AppRef) -> None:
        self.kubernetes = kubernetes
        self.app = app
        self._objects = MemoryObjectStore()
        self._vault = Vault(self._objects, _ROOT_KEY, _VAULT)
        self._vault.initialize()
        kubernetes.run(app)
        secret = {"namespace": SYSTEM_NAMESPACE, "name": _VAULT}
        access = {"accessKey": "a", "secretKey": "b", "key": export_root_key(_ROOT_KEY)}
        data = {name: base64.b64encode(text.encode()).decode() for name, text in access.items()}
        kubernetes.put({"apiVersion": "v1", "kind": "Secret", "metadata": secret, "data": data})
        named = {"credentialsSecret": secret, "keySecret": secret}
        kubernetes.put(
            {
                "apiVersion": "appshield.io/v1alpha1",
                "kind": "Vault",
                "metadata": {"name": _VAULT},
                "spec": {"endpoint": "http://127.0.0.1:1", "bucket": "versions", **named},
            }
        )

    def open_vault(self, access: VaultAccess) -> Vault:
        """Open the Vault for the process that asks."""
        store = ProcessStore(self._objects, RUNNING.get())
        return Vault(store, access.root_key, access.name)

    def quiesced(self) -> bool:
        """Whether the application was brought to rest."""
        return self.kubernetes.resting.exists()

    def made(self) -> list[str]:
        """Name what runs have made in the cluster that should not stay."""
        objects = [
            f"{kind.kind} {name} in {namespace}"
            for kind in _MADE
            for (namespace, name), obj in self.kubernetes.store.of(kind).items()
            if RUN_LABEL in obj["metadata"].get("labels", {}) or kind not in _MADE[:2]
        ]
        return objects + [f"snapshot {name}" for name in self.kubernetes.snapshots_left()]

    def staged(self) -> list[str]:
        """Name what is staged in the Vault."""
        return [one.name for one in self._objects.list("") if "/staging/" in one.name]

    def locks(self) -> list[str]:
        """Name the locks in repositories."""
        return [one.name for one in self._objects.list("") if "/repository/locks/" in one.name]

    def versions(self, app_id: str) -> list[tuple[int, str]]:
        """List the versions of the application: number and run."""
        found = [document.tags for _, document in self._repository(app_id).snapshots()]
        return sorted((int(_said(tags, "version")), _said(tags, "run")) for tags in found)

    def broken_version(self, run: Run, known: VersionRecord) -> Iterator[str]:
        """Say what is wrong with what the version of a run holds."""
        repository = self._repository(run.app_id)
        [(_, document)] = repository.snapshots_with_tag(run_tag(run.id))
        of_run, _, how = self._rows(repository, document.tree_id).split(" ", 2)
        if of_run != run.id:
            yield f"the version of {run.id} holds data of {of_run}"
        if known.facts.consistency == "application" and how != AT_REST:
            yield "the version says that it was cut at rest, and it was not"

    def broken_restore(self, app_id: str, version: int, namespace: str) -> Iterator[str]:
        """Say what is wrong with a restored application."""
        repository = self._repository(app_id)
        [(_, document)] = repository.snapshots_with_tag(version_tag(version))
        files = {ROWS: self._rows(repository, document.tree_id)}
        if self.kubernetes.files(namespace) != files:
            yield "the volume holds something else than the version"
        if (namespace, "db-0") not in self.kubernetes.store.of(kinds.POD):
            yield "the application does not run"
        settings = self.kubernetes.take(kinds.CONFIG_MAP, "settings", namespace)
        if settings is None or settings["data"] != SETTINGS:
            yield f"the settings are {settings}"
        for kind in _RESTORED:
            found = [
                obj
                for (place, _), obj in self.kubernetes.store.of(kind).items()
                if place == namespace
            ]
            if len(found) != 1:
                yield f"{len(found)} objects of kind {kind.kind} were restored"
            marks = [obj["metadata"].get("annotations", {}).get(RESTORING) for obj in found]
            if any(marks):
                yield f"the {kind.kind} still bears a mark"

    def let_differ(self, namespace: str) -> None:
        """Let the application be stopped in a namespace, and all of it be otherwise."""
        self.kubernetes.let_differ(replace(self.app, namespace=namespace))

    def forget(self, namespace: str) -> None:
        """Delete what was restored, and the history of the cluster."""
        self.kubernetes.remove(kinds.NAMESPACE, namespace)
        self.kubernetes.compact()

    async def swept_locks(self, bus: Bus) -> list[str]:
        """Name the locks that stay when all workers are gone, and successors have looked."""
        agents = bus.bucket(streams.AGENTS, Agent)
        for key in await agents.keys():
            await agents.delete(key)
        custody = Custody(bus=bus, vaults=self, worker="a successor", clock=FixedClock(_MUCH_LATER))
        await custody.sweep()
        return self.locks()

    async def open(self, name: str) -> Vault:
        """Open the Vault, as custody asks for it."""
        return self._vault

    def _repository(self, app_id: str) -> Repository:
        shelf = self._vault.application(app_id)
        return Repository.open(shelf.repository_store, shelf.repository_password())

    def _rows(self, repository: Repository, tree: bytes) -> str:
        reader = Reader(repository)
        node = reader.find(tree, f"{volume_source(CLAIM)}/{ROWS}")
        return b"".join(reader.iter_file(node)).decode()


def _said(tags: tuple[str, ...], name: str) -> str:
    said = dict(tag.removeprefix("appshield:").split("=", 1) for tag in tags)
    return said[name]


@asynccontextmanager
async def surroundings(folder: Path, app: AppRef) -> AsyncIterator[Surroundings]:
    """Let there be a cluster and a Vault for the time of the block."""
    async with ActingKubernetes(folder) as kubernetes:
        made = Surroundings(kubernetes, app)
        with _reached(made):
            yield made


@contextmanager
def _reached(made: Surroundings) -> Iterator[None]:
    """Let processes find the Vault in memory, and folders be mounts; nobody else knows the key."""
    with (
        mock.patch.object(finding, "open_vault", made.open_vault),
        mock.patch.object(opening, "is_mount_point", return_value=True),
        mock.patch.object(keys, "SCRYPT_N", 2),
    ):
        yield
