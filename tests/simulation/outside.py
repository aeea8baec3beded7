"""What is outside of AppShield in the simulation: an application, its cluster, its Vaults.

Each remembers what was done to it, so that the claims at the end can be checked.
"""

from collections import Counter
from datetime import datetime

import msgspec

from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook
from appshield.contracts.identities import AppRef
from appshield.contracts.sources import Consistency
from appshield.objectstore import MemoryObjectStore
from appshield.vault import Vault

CLAIMS = ("data", "wal")


class Snapshot(msgspec.Struct, frozen=True):
    """A volume snapshot: `period` is the time of rest in which it was cut, 0 for none."""

    run: str
    claim: str
    period: int
    cut_at: datetime


class Version(msgspec.Struct, frozen=True):
    """A version in a Vault; `trees` are what was stored of its sources."""

    snapshot_id: str
    number: int
    run: str
    consistency: Consistency
    trees: tuple[str, ...]

    @property
    def content(self) -> str:
        """What it holds of the application, whenever its volumes were cut."""
        return next(tree for tree in self.trees if "@" not in tree)


class Application:
    """One application with a database that can be brought to rest, and two volumes."""

    def __init__(self, app: AppRef, uid: str) -> None:
        self.app = app
        self.uid = uid
        self.at_rest = False
        self.rests = 0
        self.rest_began_s = 0.0
        self.longest_rest_s = 0.0
        self.snapshots: set[Snapshot] = set()
        self.released: dict[str, datetime] = {}
        """When the snapshots of a run were released."""
        self.loaders: set[str] = set()
        self.restored: Counter[str] = Counter()
        self.changes = 0
        """How often somebody has changed what a backup finds."""
        self.changing: set[str] = set()
        """Runs whose worker changes the application's objects at this moment."""

    @property
    def period(self) -> int:
        """The time of rest that lasts, 0 while the application works."""
        return self.rests if self.at_rest else 0

    def quiesce(self, now_s: float) -> None:
        """Come to rest, a new time."""
        if not self.at_rest:
            self.rests += 1
            self.rest_began_s = now_s
        self.at_rest = True

    def resume(self, now_s: float) -> None:
        """Go on working."""
        if self.at_rest:
            self.longest_rest_s = max(self.longest_rest_s, now_s - self.rest_began_s)
        self.at_rest = False

    def captured(self) -> CapturedApplication:
        """Say what it is, as the snapshotter stages it."""
        return CapturedApplication(
            namespace=self.app.namespace,
            name=self.app.name,
            uid=self.uid,
            revision="r1",
            document={"changes": self.changes},
            objects=(),
            components=(
                CapturedComponent(
                    name="database",
                    quiesce=CapturedHook(command=("quiesce",), timeout_s=10),
                    resume=CapturedHook(command=("resume",), timeout_s=10),
                ),
            ),
        )


class Store:
    """One Vault: its small objects are real, its repositories are lists of versions."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects = MemoryObjectStore()
        self.vault = Vault(self.objects, bytes(32), name)
        self.vault.initialize()
        self.versions: dict[str, dict[str, Version]] = {}
        self.ever: Counter[tuple[str, str]] = Counter()
        """How often a run has made a version exist that did not."""
        self.numbers: dict[tuple[str, int], str] = {}
        """Which run a version number was given to; two mean that a number was used again."""
        self.numbers_used_again: list[str] = []

    def of(self, app_id: str) -> dict[str, Version]:
        """Return the versions of one application by their snapshot documents."""
        return self.versions.setdefault(app_id, {})

    def add(self, app_id: str, version: Version) -> None:
        """Make a version exist; again, it is the same one."""
        if version.snapshot_id in self.of(app_id):
            return
        self.of(app_id)[version.snapshot_id] = version
        self.ever[app_id, version.run] += 1
        run = self.numbers.setdefault((app_id, version.number), version.run)
        if run != version.run:
            self.numbers_used_again.append(f"{version.number}: {run} and {version.run}")

    def staged(self) -> list[str]:
        """List what is staged and was not removed."""
        return [one.name for one in self.objects.list("") if "/staging/" in one.name]


class Outside:
    """Everything that workers reach."""

    def __init__(self, applications: list[Application], stores: list[Store]) -> None:
        self.applications = {one.app: one for one in applications}
        self.stores = {one.name: one for one in stores}

    async def open(self, name: str) -> Vault:
        """Open a Vault, as the snapshotter's shelves ask for it."""
        return self.stores[name].vault
