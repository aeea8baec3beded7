"""In which Vaults a version is to exist, and which copy is due: pure decisions over a history.

    the version exists in one Vault ─► pending ─► copying ─► stored
                                          ▲           │
                                          └── failed ◄┘  again after a pause that grows

A rule names its Vaults, else the application does. A version that the rule would not keep in a
Vault is not copied there. To one Vault one version is copied at a time, the newest first.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from appshield.application.upkeeping import expired, made_by, rules_of
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionCopy, VersionRecord
from appshield.contracts.maintenance import KnownVersion, NamedVersion, RepairProgress
from appshield.contracts.runs import Failure

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


class DueCopy(msgspec.Struct, frozen=True):
    """A version that is to be copied now, from one Vault to another."""

    version: VersionRecord
    source: str
    vault: str


def targets_of(record: ApplicationRecord, version: VersionRecord) -> tuple[str, ...]:
    """Name the Vaults in which a version is to exist, the one to read first at the beginning."""
    rule = next((one for one in rules_of(record) if made_by(version, one)), None)
    return (rule.targets if rule else ()) or record.targets or (record.vault,)


def targets_differ(record: ApplicationRecord, before: ApplicationRecord | None) -> bool:
    """Say whether other Vaults are asked for than before.

    Where all rules ask for the same ones it does not matter how many they are.
    """

    def asked(one: ApplicationRecord) -> list[tuple[str, ...]]:
        every = [one.targets, *(rule.targets or one.targets for rule in one.protections)]
        return every if len(set(every)) > 1 else every[:1]

    return before is not None and asked(record) != asked(before)


def planned(
    record: ApplicationRecord, versions: Iterable[VersionRecord], now: datetime
) -> list[VersionRecord]:
    """Return the versions with the copies that there are to be, new ones pending."""
    known = list(versions)
    wanted = {version.facts.number: targets_of(record, version) for version in known}
    vaults = {vault for named in wanted.values() for vault in named}
    unkept = {vault: _unkept(record, known, vault, now) for vault in vaults}
    return [
        _with_wanted(
            version,
            [
                vault
                for vault in wanted[version.facts.number]
                if version.facts.number not in unkept[vault]
            ],
        )
        for version in known
    ]


def due_copies(
    record: ApplicationRecord,
    versions: Sequence[VersionRecord],
    now: datetime,
    *,
    busy: Collection[str] = (),
) -> list[DueCopy]:
    """Choose what to copy now; Vaults that are `busy` are neither read nor written."""
    vaults = sorted({copy.vault for version in versions for copy in version.copies})
    chosen = (_due_at(record, versions, vault, now, busy) for vault in vaults)
    return [one for one in chosen if one is not None]


def next_try(versions: Iterable[VersionRecord]) -> datetime | None:
    """Say when the first of the copies that failed is to be tried again."""
    times = (copy.again_at for _, copy in _copies(versions) if copy.state == "failed")
    return min((at for at in times if at is not None), default=None)


def is_copied_at(versions: Iterable[VersionRecord], vault: str) -> bool:
    """Say whether a version is being copied into a Vault, or may be from it."""
    return any(
        copy.state == "copying" and vault in {copy.vault, *version.vaults}
        for version, copy in _copies(versions)
    )


def repair_at(versions: Sequence[VersionRecord], vault: str) -> RepairProgress:
    """Say what a repair in a Vault begins with: the versions there, and who may have them too."""
    here = [one for version in versions if (one := version.at(vault)) is not None]
    others = {other for version in versions for other in version.vaults} - {vault}
    return RepairProgress(
        others=tuple(sorted(others)),
        versions=tuple(
            KnownVersion(number=one.facts.number, snapshot_id=one.snapshot_id, run=one.facts.run)
            for one in here
        ),
    )


def is_healable_at(versions: Iterable[VersionRecord], vault: str) -> bool:
    """Say whether a version is damaged in a Vault of which another one has a good copy."""
    return any(
        (here := version.at(vault)) is not None
        and here.damage is not None
        and any(_is_good_at(version, other) for other in version.vaults if other != vault)
        for version in versions
    )


def named(version: VersionRecord) -> NamedVersion:
    """Name a version as it is in its own Vault."""
    return NamedVersion(number=version.facts.number, snapshot_id=version.snapshot_id)


def readable_at(record: ApplicationRecord, version: VersionRecord) -> list[VersionRecord]:
    """List the version as it is in each of its Vaults: good ones first, in the order of targets."""
    order = [*targets_of(record, version), *version.vaults]
    found = [one for vault in version.vaults if (one := version.at(vault)) is not None]
    return sorted(found, key=lambda one: (one.damage is not None, order.index(one.vault)))


def with_failure(
    versions: Iterable[VersionRecord],
    version: VersionRecord,
    vault: str,
    failure: Failure,
    now: datetime,
    *,
    vault_failed: bool,
) -> VersionRecord:
    """Return the version with a copy that failed; what failed for the Vault's sake adds up."""
    copy = version.copy_at(vault) or VersionCopy(vault=vault)
    attempts = copy.attempts + 1
    earlier = sum(one.attempts for _, one in _copies(versions) if _is_held_up(one, vault))
    tries = attempts + (earlier if vault_failed else 0)
    failed = replace(
        copy,
        state="failed",
        attempts=attempts,
        failure=failure,
        vault_failed=vault_failed,
        again_at=now + min(FIRST_PAUSE * 2 ** min(tries - 1, 10), LONGEST_PAUSE),
    )
    return with_copy(version, failed)


def released(versions: Iterable[VersionRecord], vault: str) -> Iterator[VersionRecord]:
    """Yield the versions that waited for a Vault that works again, ready to be copied."""
    for version, copy in _copies(versions):
        if _is_held_up(copy, vault):
            yield with_copy(version, VersionCopy(vault=vault, run=copy.run))


def with_copy(version: VersionRecord, copy: VersionCopy) -> VersionRecord:
    """Return the version with this copy in the place of what was known about it."""
    others = tuple(one for one in version.copies if one.vault != copy.vault)
    return replace(version, copies=(*others, copy))


def without(version: VersionRecord, vault: str, *, forgotten: bool) -> VersionRecord | None:
    """Return the version as it is without what is in one Vault; None if it exists nowhere then.

    What was `forgotten` there is not copied there again, unless somebody asks for it.
    """
    others = tuple(copy for copy in version.copies if copy.vault != vault)
    left = version
    if vault == version.vault:
        first = next((copy.vault for copy in version.copies if copy.state == "stored"), None)
        there = version.at(first) if first else None
        if there is None:
            return None
        left, others = there, tuple(copy for copy in others if copy.vault != first)
    gone = (VersionCopy(vault=vault, state="forgotten"),) if forgotten else ()
    return replace(left, copies=(*others, *gone))


def _copies(versions: Iterable[VersionRecord]) -> Iterator[tuple[VersionRecord, VersionCopy]]:
    return ((version, copy) for version in versions for copy in version.copies)


def _is_held_up(copy: VersionCopy, vault: str) -> bool:
    return copy.vault == vault and copy.state == "failed" and copy.vault_failed


def _unkept(
    record: ApplicationRecord, versions: list[VersionRecord], vault: str, now: datetime
) -> set[int]:
    """Return the numbers that the rules would let go in a Vault, were all of them there."""
    as_if = [version.at(vault) or replace(version, vault=vault, copies=()) for version in versions]
    return {version.facts.number for version in expired(record, as_if, vault, now)}


def _with_wanted(version: VersionRecord, wanted: list[str]) -> VersionRecord:
    """Add pending copies where one is wanted, drop those that are not wanted any more."""
    kept = [
        copy
        for copy in version.copies
        if copy.state in {"stored", "copying", "forgotten"} or copy.vault in wanted
    ]
    known = {version.vault, *(copy.vault for copy in kept)}
    new = [VersionCopy(vault=vault) for vault in wanted if vault not in known]
    return replace(version, copies=(*kept, *new))


def _due_at(
    record: ApplicationRecord,
    versions: Sequence[VersionRecord],
    vault: str,
    now: datetime,
    busy: Collection[str],
) -> DueCopy | None:
    copies = [copy for _, copy in _copies(versions) if copy.vault == vault]
    under_way = any(copy.state == "copying" for copy in copies)
    held_up = any(_is_held_up(copy, vault) and not _again(copy, now) for copy in copies)
    if vault in busy or under_way or held_up:
        return None
    for version in sorted(versions, key=lambda one: one.facts.number, reverse=True):
        copy = version.copy_at(vault)
        if copy is None or copy.state not in {"pending", "failed"} or not _again(copy, now):
            continue
        for source in readable_at(record, version):
            if source.damage is None and source.vault not in busy:
                return DueCopy(version, source.vault, vault)
    return None


def _again(copy: VersionCopy, now: datetime) -> bool:
    return copy.again_at is None or copy.again_at <= now


def _is_good_at(version: VersionRecord, vault: str) -> bool:
    there = version.at(vault)
    return there is not None and there.damage is None
