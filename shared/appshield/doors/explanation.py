"""What a document means for an application as it stands: the model behind `explain`. Pure.

Everything is decided by the functions that a backup uses, on one reading of the cluster, so that
what is explained is what happens.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

import msgspec

from appshield.application.capturing import is_finished_job
from appshield.application.readiness import hooks_without_place, obstacles, planning_of
from appshield.application.reading import Reading
from appshield.contracts.sources import Consistency
from appshield.kubernetes import Object
from appshield.language.adapters import ADAPTED_FROM, ADAPTED_IN_PART
from appshield.language.effective import EffectiveProtection, EffectiveRule
from appshield.language.profiles import Profiles
from appshield.language.resolved import (
    ChangeTrigger,
    GateTrigger,
    HealthTrigger,
    ResolvedApplication,
    ResolvedComponent,
    ResolvedKeep,
    ResolvedProtection,
    ResolvedTrigger,
    RpoTrigger,
    Schedule,
    SignalTrigger,
)
from appshield.language.shape import suggestion
from appshield.language.values import duration
from appshield.manifests.consistency import consistency
from appshield.manifests.objects import reference_of
from appshield.manifests.volumes import VolumePlanning
from appshield.triggers.rules import protection_of
from appshield.triggers.upcoming import NextRuns, Past, next_runs

_PERIODS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


class Line(msgspec.Struct, frozen=True, order=True):
    """A thing and the reason for what is done with it."""

    name: str
    why: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of protection: when it makes a version, where it goes, how long it stays.

    `next_times` say when its next runs begin, of an rpo as if everything changed, and `next_runs`
    also what holds them back until then, as far as documents say it. What waits for something to
    happen has no times, and no `timezone`.
    """

    name: str
    origin: str
    when: str
    timezone: str
    next_times: tuple[datetime, ...]
    next_runs: NextRuns
    keeps: str
    targets: tuple[str, ...]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a version made now would hold, and what not; no consistency where none can be made."""

    objects: tuple[Line, ...]
    volumes: tuple[Line, ...]
    dumps: tuple[Line, ...]
    skipped: tuple[Line, ...]
    consistency: Consistency | None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Where a document comes from, for people, and the history on which the next times depend.

    `app_id`, from which jitter is drawn, is empty where no history has begun: the times are nominal
    then. `last_backup_at` is when its newest version was made, None where there is none.
    """

    told: str
    app_id: str = ""
    last_backup_at: datetime | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer; `protection` and `contents` are None where no cluster was asked.

    `rules` are those in effect, of the document and of every policy that matches.
    """

    application: ResolvedApplication
    document: str
    profiles: dict[str, str]
    rules: tuple[Rule, ...]
    protection: EffectiveProtection | None
    contents: Contents | None
    ready: bool | None
    missing: tuple[str, ...]
    warnings: tuple[str, ...]


def explained_document(
    application: ResolvedApplication, profiles: Profiles, said: Document, *, now: datetime
) -> Explanation:
    """Explain what a document says by itself; the next times are after `now`."""
    parts = application.components
    return Explanation(
        application=application,
        document=said.told,
        profiles={part.name: _profile_text(part, profiles, len(parts)) for part in parts},
        rules=tuple(explained_rule(rule, "document", now, said) for rule in application.protect),
        protection=None,
        contents=None,
        ready=None,
        missing=(),
        warnings=(),
    )


def explained_application(
    reading: Reading,
    protection: EffectiveProtection,
    vaults: Collection[str],
    said: Document,
    *,
    now: datetime,
) -> Explanation:
    """Explain what a document means in a cluster.

    Args:
        reading: the cluster as the document sees it.
        protection: the document's rules together with those of policies.
        vaults: the names of the Vaults that are there.
        said: where the document comes from.
        now: the next times are after it.
    """
    application, planning = reading.application, planning_of(reading)
    alone = explained_document(application, reading.profiles, said, now=now)
    rules = tuple(_effective_rule(rule, now, said) for rule in protection.rules)
    targets = {*protection.targets, *(target for rule in rules for target in rule.targets)}
    missing = (
        *obstacles(reading, planning),
        *hooks_without_place(reading),
        *(f"target {one}: there is no Vault of that name" for one in sorted(targets - {*vaults})),
    )
    return msgspec.structs.replace(
        alone,
        rules=rules,
        protection=protection,
        contents=_contents(reading, planning, possible=not missing),
        ready=not missing,
        missing=missing,
        warnings=(*_left_out(application), *reading.notes, *reading.membership.missing),
    )


def _left_out(application: ResolvedApplication) -> Iterator[str]:
    """Tell what an adapter could not say of a foreign document."""
    if notes := application.annotations.get(ADAPTED_IN_PART):
        document = application.annotations.get(ADAPTED_FROM, "the foreign document")
        yield f"taken over in part from {document}: {notes}"


def _profile_text(part: ResolvedComponent, profiles: Profiles, components: int) -> str:
    profile = profiles.of(part.profile)
    if profile is None:
        near = suggestion(part.profile, [one.spec.type for one in profiles.all()])
        return f"there is no profile of this type; {near}"
    if part.origins["profile"] == "default" and components > 1:
        return "nothing is taken from it, as several components must each name their own"
    status = "proved" if profile.spec.proved else "not proved"
    shipped = profiles.is_shipped(part.profile)
    return f"{status}, {'shipped' if shipped else f'Profile {profile.metadata.name}'}"


def _contents(reading: Reading, planning: VolumePlanning, *, possible: bool) -> Contents:
    application = reading.application
    members = [(member.object, member.why) for member in reading.membership.members]
    quiesced = [part.name for part in application.components if part.quiesce is not None]
    dumps = [
        part for part in application.components if part.dump is not None and part.strategy != "none"
    ]
    skipped = [
        *(Line(str(one.reference), one.why) for one in reading.membership.excluded),
        *(
            Line(_name(obj), "has ended, and would run again")
            for obj, _ in members
            if is_finished_job(obj)
        ),
        *(Line(f"volume {one.name}", one.reason) for one in planning.left_out),
    ]
    return Contents(
        objects=tuple(Line(_name(obj), why) for obj, why in members if not is_finished_job(obj)),
        volumes=tuple(
            Line(
                f"volume {one.claim}" + (f" of {one.component}" if one.component else ""),
                f"{'snapshot' if one.method == 'snapshot' else 'read live'}: {one.reason}",
            )
            for one in planning.volumes
        ),
        dumps=tuple(
            Line(
                f"dump of {part.name}",
                "its data" if part.strategy == "dump" else "an extra copy, loaded only when asked",
            )
            for part in dumps
        ),
        skipped=tuple(skipped),
        consistency=consistency(
            application,
            planning.volumes,
            quiesced=quiesced,
            dumped=[part.name for part in dumps],
        )
        if possible
        else None,
    )


def _effective_rule(effective: EffectiveRule, now: datetime, said: Document) -> Rule:
    origin = f"policy {effective.policy}" if effective.policy else "document"
    return explained_rule(effective.rule, origin, now, said)


def explained_rule(rule: ResolvedProtection, origin: str, now: datetime, said: Document) -> Rule:
    """Explain one rule of the document, or of a policy, that `origin` names."""
    past = Past(app_id=said.app_id, saved_at=said.last_backup_at)
    found = next_runs(protection_of(rule), past, now)
    return Rule(
        name=rule.name,
        origin=origin,
        when="; ".join((_when(rule.trigger), *_conditions(rule))),
        timezone=found.timezone if found.runs else "",
        next_times=tuple(run.begins_at for run in found.runs),
        next_runs=found,
        keeps="; ".join(
            (
                _keeps(rule.keep),
                *(f"in {vault} {_keeps(keep)}" for vault, keep in rule.keep_in.items()),
            )
        ),
        targets=rule.targets,
    )


def _when(trigger: ResolvedTrigger) -> str:
    text = "when somebody asks"
    match trigger:
        case Schedule():
            jitter = f", up to {duration(trigger.jitter_s)} later" if trigger.jitter_s else ""
            text = f"schedule {trigger.cron} ({trigger.timezone}){jitter}"
        case RpoTrigger():
            text = f"when the newest version is {duration(trigger.age_s)} old and anything changed"
        case ChangeTrigger():
            condition = f" and {trigger.when}" if trigger.when else ""
            text = f"when one of {', '.join(trigger.of)} changes{condition}"
        case SignalTrigger():
            condition = f" and {trigger.when}" if trigger.when else ""
            text = f"when signal {trigger.signal} comes{condition}"
        case HealthTrigger():
            text = f"when the application becomes {trigger.becomes}"
        case GateTrigger():
            text = f"before {' and '.join(trigger.before)}, which waits for it"
        case _:
            pass
    return text


def _conditions(rule: ResolvedProtection) -> list[str]:
    found = []
    if rule.settle_s:
        found.append(f"settled for {duration(rule.settle_s)}")
    if rule.at_most is not None:
        found.append(f"at most {rule.at_most.count} in {duration(rule.at_most.window_s)}")
    found += [
        f"never from {window.opens.cron} ({window.opens.timezone}) for {duration(window.lasts_s)}"
        for window in rule.blackout
    ]
    if rule.priority:
        found.append(f"priority {rule.priority}")
    return found


def _keeps(keep: ResolvedKeep | None) -> str:
    if keep is None:
        return "every version"
    found = [f"{count} {period}" for period in _PERIODS if (count := getattr(keep, period))]
    if keep.within_s:
        found.append(f"all within {duration(keep.within_s)}")
    return ", ".join(found)


def _name(obj: Object) -> str:
    return str(reference_of(obj))
