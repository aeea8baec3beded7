"""What keeps repositories in order, and when: pure decisions over a history, its versions, a time.

    a version was made, or the day's moment has come
      ─► forget what no rule keeps ─► prune, at most once a day ─► check, once a day

Each of these is a run of its own and is decided anew when the one before it has ended. The day's
moment comes from the application's id, so that many applications do not all come at once.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from appshield.contracts.applications import ApplicationRecord, Keep, Protection, Upkeep
from appshield.contracts.catalog import VersionRecord
from appshield.language import retention
from appshield.language.resolved import ResolvedKeep

PRUNE_EVERY = timedelta(hours=24)
CHECK_EVERY = timedelta(hours=20)
"""Less than a day: the day's moment may come a little early."""
_DAY = timedelta(days=1)


def expired(
    record: ApplicationRecord, versions: Iterable[VersionRecord], vault: str, now: datetime
) -> list[VersionRecord]:
    """Return the versions that no rule keeps in a Vault, as they are there, oldest first.

    A rule decides about the versions that it made, and no other: what a person asked for, or a
    rule that is gone has made, stays. Of each rule the last good and the last verified one stay,
    and whatever is pinned. What is in other Vaults makes no difference.
    """
    known = [here for version in versions if (here := version.at(vault)) is not None]
    kept = why_kept(record, known, vault, now)
    return [version for version in sorted(known, key=_number) if version.facts.number not in kept]


def why_kept(
    record: ApplicationRecord, versions: Iterable[VersionRecord], vault: str, now: datetime
) -> dict[int, tuple[str, ...]]:
    """Say of the versions that stay in a Vault why they do; those that are not named go.

    `versions` are as they are in that Vault.
    """
    rules = rules_of(record)
    made: dict[str, list[VersionRecord]] = {rule.name: [] for rule in rules}
    reasons: dict[int, tuple[str, ...]] = {}
    for version in versions:
        rule = next((one for one in rules if made_by(version, one)), None)
        if rule is not None:
            made[rule.name].append(version)
        else:
            reasons[version.facts.number] = tuple(_of_no_rule(version))
    for rule in rules:
        keep = rule.keep_in.get(vault, rule.keep)
        kept = retention.keep(
            [_facts(version) for version in made[rule.name]],
            _policy(keep) if keep is not None else None,
            now,
            timezone=rule.timezone,
        )
        for number, whys in kept.items():
            reasons[number] = tuple(f"{rule.name}: {why}" for why in whys)
    return reasons


def _of_no_rule(version: VersionRecord) -> Iterator[str]:
    """Say why a version stays that no rule in force has made."""
    if version.pinned:
        yield "pinned"
    if version.facts.trigger_name:
        yield f"its rule {version.facts.trigger_name} is gone, and no other removes it"
    else:
        yield "asked for by hand, and no rule removes it"


def _number(version: VersionRecord) -> int:
    return version.facts.number


def rules_of(record: ApplicationRecord) -> tuple[Protection, ...]:
    """List the rules that say how long versions stay and where: those in force, and `asked`."""
    return (*record.protections, *((record.asked,) if record.asked else ()))


def vaults_of(record: ApplicationRecord, versions: Iterable[VersionRecord]) -> list[str]:
    """Name the Vaults that hold something of a history."""
    held = {vault for version in versions for vault in version.vaults}
    return sorted(held | {one.vault for one in record.upkeep})


def prune_is_due(upkeep: Upkeep, now: datetime) -> bool:
    """Say whether there is something to prune and the last time is long enough ago."""
    return upkeep.unpruned and _long_ago(upkeep.pruned_at, now, PRUNE_EVERY)


def check_is_due(upkeep: Upkeep, now: datetime) -> bool:
    """Say whether the last check is long enough ago."""
    return _long_ago(upkeep.checked_at, now, CHECK_EVERY)


def next_moment(app_id: str, after: datetime) -> datetime:
    """Return the first moment after `after` that is the application's, one on each day."""
    digest = hashlib.sha256(app_id.encode()).digest()
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + timedelta(seconds=int.from_bytes(digest[:4], "big") % 86_400)
    return moment if moment > after else moment + _DAY


def upkeep_in(record: ApplicationRecord, vault: str) -> Upkeep:
    """Return what is known about the repository in one Vault."""
    return next((one for one in record.upkeep if one.vault == vault), Upkeep(vault=vault))


def with_upkeep(record: ApplicationRecord, upkeep: Upkeep) -> ApplicationRecord:
    """Return the record with this knowledge about one Vault."""
    others = tuple(one for one in record.upkeep if one.vault != upkeep.vault)
    ordered = tuple(sorted((*others, upkeep), key=lambda one: one.vault))
    return msgspec.structs.replace(record, upkeep=ordered)


def last_good_would_go(versions: Sequence[VersionRecord], numbers: Iterable[int]) -> bool:
    """Say whether no good version would be left without these, of those that there are."""
    going = set(numbers)
    good = [version.facts.number for version in versions if version.damage is None]
    return bool(going.intersection(good)) and going.issuperset(good)


def made_by(version: VersionRecord, protection: Protection) -> bool:
    """Say whether a rule made a version."""
    facts = version.facts
    return facts.trigger == protection.trigger and facts.trigger_name == protection.name


def _facts(version: VersionRecord) -> retention.VersionFacts:
    return retention.VersionFacts(
        number=version.facts.number,
        made_at=version.facts.cut_at,
        pinned=version.pinned,
        good=version.damage is None,
        verified=version.verified_at is not None and version.damage is None,
        locked_until=version.locked_until,
    )


def _policy(keep: Keep) -> ResolvedKeep:
    return msgspec.convert(msgspec.structs.asdict(keep), ResolvedKeep)


def _long_ago(last: datetime | None, now: datetime, every: timedelta) -> bool:
    return last is None or now - last >= every
