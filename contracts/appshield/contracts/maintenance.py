"""The steps that keep repositories in order: forget versions, prune, check, repair, pin, copy.

Each is a run of one step, or of one for each Vault that it is about. Forgetting, pruning and
repairing change the repository and take their turn with backups and restores; the others stand
beside them.
"""

from datetime import datetime
from typing import ClassVar

import msgspec

from appshield.contracts.backups import VersionFacts
from appshield.contracts.message import StepCommand, StepEvent

PRUNE_GRACE_S = 86_400.0
"""How long data that nothing names any more stays before it is deleted."""
CHECK_PARTS = 30
"""A daily check reads the data of one of so many parts: all of it within a month."""


class CheckPart(msgspec.Struct, frozen=True):
    """Which part of the data a check reads."""

    part: int
    parts: int


def part_of_day(now: datetime) -> CheckPart:
    """Choose the part of the data that is read today."""
    return CheckPart(part=now.toordinal() % CHECK_PARTS + 1, parts=CHECK_PARTS)


class NamedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version by its number and its snapshot document."""

    number: int
    snapshot_id: str


class KnownVersion(NamedVersion, frozen=True, kw_only=True):
    """A version with the run that made it, which tells it from another one of that number."""

    run: str


class VersionsAt(msgspec.Struct, frozen=True, kw_only=True):
    """Versions as they are in one Vault."""

    vault: str
    versions: tuple[NamedVersion, ...]


class VersionDamage(msgspec.Struct, frozen=True, kw_only=True):
    """What of a version cannot be read back: paths in it, a part of them where there are many.

    A version whose snapshot document itself is damaged has number 0 where nothing else names it.
    """

    number: int
    snapshot_id: str
    paths: tuple[str, ...]
    paths_total: int


class ForgetVersions(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.forget_versions"):
    """Let versions stop to exist; never a pinned one, nor the last good one unless `even_last`."""

    noun: ClassVar[str] = "version"
    verb: ClassVar[str] = "forget"

    versions: tuple[NamedVersion, ...]
    even_last: bool = False


class LockedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version that object lock keeps in a Vault, and until when."""

    number: int
    until: datetime


class VersionsForgotten(
    StepEvent, frozen=True, kw_only=True, tag="appshield.v1.versions_forgotten"
):
    """These versions do not exist any more; `kept` says of others why they stay.

    `locked` are those of the others that object lock keeps for a while.
    """

    noun: ClassVar[str] = "version"
    verb: ClassVar[str] = "forgotten"

    app_id: str
    vault: str
    versions: tuple[NamedVersion, ...]
    kept: tuple[str, ...] = ()
    locked: tuple[LockedVersion, ...] = ()


class PruneRepository(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.prune_repository"):
    """Remove what no version needs; what was needed lately goes after `grace_s` only."""

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "prune"

    grace_s: float = PRUNE_GRACE_S


class RepositoryPruned(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.repository_pruned"):
    """What pruning did. `gave_way`: it stopped early for a backup and is to be planned again.

    `bytes_waiting` are unneeded, and are deleted by a prune after their grace.
    """

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "pruned"

    app_id: str
    vault: str
    pruned_at: datetime
    gave_way: bool = False
    bytes_freed: int = 0
    bytes_waiting: int = 0
    packs_deleted: int = 0
    packs_rewritten: int = 0


class CheckRepository(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.check_repository"):
    """Check every file and reference, and read the data of `part` of `parts` equal parts.

    `parts` 0 reads no data, 1 all of it.
    """

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "check"

    part: int = 0
    parts: int = 0


class RepositoryChecked(
    StepEvent, frozen=True, kw_only=True, tag="appshield.v1.repository_checked"
):
    """What a check found: which versions are damaged, and what else is wrong.

    `damage` is everything that is known, also from checks before this one; only a check that reads
    all data takes damage back. `problems` name files of the repository. `verified` are the versions
    of which every byte was read just now.
    """

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "checked"

    app_id: str
    vault: str
    checked_at: datetime
    part: int = 0
    parts: int = 0
    damage: tuple[VersionDamage, ...] = ()
    verified: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    problems_total: int = 0
    versions: int = 0
    packs: int = 0
    bytes_read: int = 0


class RepairRepository(
    StepCommand, frozen=True, kw_only=True, tag="appshield.v1.repair_repository"
):
    """Make config, key files and index whole, and bring what is damaged from Vaults that have it.

    The index comes from the packs that are there and what each says of itself. Where there are
    `others`, all data is read, and what cannot be is written anew from the first of them that has
    it. `versions` are those that the catalog knows in this Vault: their documents are healed, too.
    """

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "repair"

    others: tuple[str, ...] = ()
    versions: tuple[KnownVersion, ...] = ()


class Healed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of bringing damaged content from other Vaults; everything was read for it.

    `sources` were read, those in `unused` could not be, each with the reason. `brought` blobs came
    from there, `replaced` packs were damaged and are gone. `documents` are the versions whose
    document had to be written again, with what it is called now. `damage` is all that stays.
    """

    sources: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    brought: int = 0
    replaced: int = 0
    documents: tuple[NamedVersion, ...] = ()
    damage: tuple[VersionDamage, ...] = ()
    verified: tuple[int, ...] = ()


class RepositoryRepaired(
    StepEvent, frozen=True, kw_only=True, tag="appshield.v1.repository_repaired"
):
    """What was repaired; of packs and index files a part of the names where there are many.

    `opening` are config and key files that were damaged or lost: written anew, or removed.
    `named` packs are in the index again, `dropped` ones are lost and are not in it any more,
    `unreadable` ones were left as they are, each with the reason. `damaged_indexes` are gone.
    `healed` is said where there was another Vault to heal from.
    """

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "repaired"

    app_id: str
    vault: str
    repaired_at: datetime
    opening: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    named_total: int = 0
    dropped: tuple[str, ...] = ()
    dropped_total: int = 0
    unreadable: tuple[str, ...] = ()
    unreadable_total: int = 0
    damaged_indexes: tuple[str, ...] = ()
    damaged_indexes_total: int = 0
    healed: Healed | None = None


class PinVersion(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.pin_version"):
    """Keep a version from expiring and from being forgotten, or let it go again."""

    noun: ClassVar[str] = "version"
    verb: ClassVar[str] = "pin"

    version: NamedVersion
    pinned: bool
    actor: str = ""


class VersionPinned(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.version_pinned"):
    """The pin is written, or gone."""

    noun: ClassVar[str] = "version"
    verb: ClassVar[str] = "pinned"

    app_id: str
    number: int
    pinned: bool


class CopyVersion(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.copy_version"):
    """Make a version that exists in the Vault `source` exist in this one, too.

    `version` names it as it is in the source.
    """

    noun: ClassVar[str] = "version"
    verb: ClassVar[str] = "copy"

    source: str
    version: NamedVersion


class VersionCopied(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.version_copied"):
    """The version exists in this Vault: its snapshot document is in the repository there.

    `bytes_copied` were missing there and were sent, as they are sealed in the source.
    """

    noun: ClassVar[str] = "version"
    verb: ClassVar[str] = "copied"

    app_id: str
    vault: str
    source: str
    facts: VersionFacts
    snapshot_id: str
    copied_at: datetime
    bytes_copied: int = 0
    bytes_stored: int = 0


class ForgetProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to forget in its Vault and `elsewhere`, and what came of it."""

    versions: tuple[NamedVersion, ...]
    even_last: bool = False
    forgotten: tuple[NamedVersion, ...] = ()
    kept: tuple[str, ...] = ()
    elsewhere: tuple[VersionsAt, ...] = ()


class PruneProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to prune, and what came of it.

    `gives_way`: a backup or restore waits, so the worker stops at the next safe point.
    """

    grace_s: float = PRUNE_GRACE_S
    gives_way: bool = False
    done: RepositoryPruned | None = None


class CheckProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How much a run is to check, and what it found."""

    part: int = 0
    parts: int = 0
    found: RepositoryChecked | None = None


class RepairProgress(msgspec.Struct, frozen=True, kw_only=True):
    """From which Vaults a run is to heal its own, which versions are known there; what it did."""

    others: tuple[str, ...] = ()
    versions: tuple[KnownVersion, ...] = ()
    done: RepositoryRepaired | None = None


class PinProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to pin or to let go, in its Vault and `elsewhere`."""

    version: NamedVersion
    pinned: bool
    elsewhere: tuple[VersionsAt, ...] = ()


class CopyProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Which version a run copies into its Vault, from where, and what came of it."""

    source: str
    version: NamedVersion
    done: VersionCopied | None = None
