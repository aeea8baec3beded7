"""Checking a repository: every file and every reference, and on demand every byte.

Each finding names the file of the repository, and for what a version lost, the snapshot and the
path in it. The caller holds a lock (exclusive, if packs of a running backup shall not show up as
unnamed). Covers what `restic check` and `restic check --read-data` cover.
"""

from collections.abc import Callable

import msgspec

from appshield.repository.blobs import BlobKind
from appshield.repository.check_data import DataCheck, Sample
from appshield.repository.check_files import (
    check_config,
    check_index_files,
    check_key_files,
    warn_of_foreign_objects,
)
from appshield.repository.comparing import Comparison, compare_packs
from appshield.repository.findings import Finding, Findings
from appshield.repository.index import Index
from appshield.repository.layout import file_name, list_files
from appshield.repository.repository import Repository
from appshield.repository.retiring import retired_packs
from appshield.repository.walking import TreeWalk, lost_in

__all__ = ["CheckReport", "Finding", "Sample", "check"]


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. Warnings are harmless: unnamed packs, foreign objects.

    `blobs` counts a blob that is in two packs twice. `packs_read` of the `packs` were read whole.
    """

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    snapshots: int
    packs: int
    blobs: int
    packs_read: int
    bytes_read: int

    @property
    def is_sound(self) -> bool:
        """Whether everything that the repository names is there and verifies."""
        return not self.errors


def check(
    repository: Repository,
    *,
    read_data: bool | Sample = False,
    moved: Callable[[], None] = lambda: None,
) -> CheckReport:
    """Check all metadata, and with `read_data` all packs or a sample of them; changes nothing.

    `moved` is called again and again while the work gets on.

    Raises:
        UnavailableError: the store cannot be reached.
    """
    return _Check(repository, moved).run(read_data=read_data)


class _Check:
    """One run of `check`."""

    def __init__(self, repository: Repository, moved: Callable[[], None]) -> None:
        self._repository = repository
        self._moved = moved
        self._findings = Findings()

    def run(self, *, read_data: bool | Sample) -> CheckReport:
        check_config(self._repository, self._findings)
        check_key_files(self._repository, self._findings)
        index = check_index_files(self._repository, self._findings)
        warn_of_foreign_objects(self._repository, self._findings)
        self._moved()
        comparison = self._compare_packs(index)
        data = DataCheck(self._repository, index, comparison.wrong, self._findings, self._moved)
        if read_data is not False:
            data.read(None if read_data is True else read_data)
        snapshots = self._check_snapshots(index, comparison, data)
        return CheckReport(
            errors=self._findings.errors(),
            warnings=self._findings.warnings(),
            snapshots=snapshots,
            packs=len(index.tables.packs),
            blobs=len(index),
            packs_read=data.packs_read,
            bytes_read=data.bytes_read,
        )

    def _compare_packs(self, index: Index) -> Comparison:
        comparison = compare_packs(list_files(self._repository.store, "data"), index)
        for wrong in comparison.wrong.values():
            self._findings.error(file_name("data", wrong.pack_id), str(wrong))
        retired = retired_packs(self._repository)
        for pack_id in comparison.unnamed:
            if pack_id not in retired:
                self._findings.warn(file_name("data", pack_id), "no index names this pack")
        return comparison

    def _check_snapshots(self, index: Index, comparison: Comparison, data: DataCheck) -> int:
        listing = self._repository.list_snapshots()
        for unreadable in listing.unreadable:
            name = file_name("snapshots", unreadable.snapshot_id)
            self._findings.error(name, unreadable.why)
        wrong = {row: pack for row, pack in comparison.wrong.items() if row not in data.read_wrong}
        lost = lost_in(index, wrong)

        def look(kind: BlobKind, row: int) -> str | None:
            self._moved()
            return lost(kind, row) or data.why_damaged(kind, row)

        walk = TreeWalk(self._repository, index, look)
        for snapshot_id, document in listing.readable:
            for problem in walk.problems(document.tree_id):
                self._findings.lost(snapshot_id, problem.path, problem.what)
        return len(listing.readable)
