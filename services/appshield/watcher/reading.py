"""From an Application or Policy object to the fact that is told about it. Pure.

The fact carries what the planner has to know (triggers, retention, targets, what policies ask for),
never a hook or a selector: those are read where they are used.
"""

from collections.abc import Callable

from msgspec.structs import replace

from appshield.contracts.applications import (
    ApplicationObserved,
    Blackout,
    Described,
    Keep,
    Protection,
    Rate,
    TriggerKind,
)
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyObserved, policy_place
from appshield.kubernetes import Object
from appshield.language.in_force import application_in_force, policy_in_force
from appshield.language.profiles import Profiles
from appshield.language.reaction_names import digest_of, rule_of
from appshield.language.resolved import (
    ChangeTrigger,
    GateTrigger,
    HealthTrigger,
    ManualTrigger,
    ResolvedApplication,
    ResolvedKeep,
    ResolvedProtection,
    ResolvedReaction,
    ResolvedTrigger,
    RpoTrigger,
    Schedule,
    SignalTrigger,
)
from appshield.language.resolving import (
    resolve,
    resolve_keep,
    resolve_policy,
    resolve_protection,
)
from appshield.watcher.reading_reactions import reaction_of

Describe = Callable[[ResolvedApplication], Described]
"""Says what policies may ask about an application."""
CONTINUES = "appshield.io/continues"
"""Annotation that names the history which a restored Application object goes on with."""

_REFUSED_CHARACTERS_MAX = 2_000
_KINDS: dict[type, TriggerKind] = {
    Schedule: "schedule",
    RpoTrigger: "rpo",
    ChangeTrigger: "change",
    SignalTrigger: "signal",
    HealthTrigger: "health",
    GateTrigger: "gate",
    ManualTrigger: "manual",
}


def observe(
    obj: Object, cluster: str, describe: Describe, profiles: Profiles | None = None
) -> ApplicationObserved:
    """Say what the Application in force says, and why a newer document is refused.

    Args:
        obj: the Application object.
        cluster: the cluster's name.
        describe: says what policies may ask about it.
        profiles: those in force. Default: those that are shipped.
    """
    meta = obj["metadata"]
    app = AppRef(cluster=cluster, namespace=meta["namespace"], name=meta["name"])
    adopts = (meta.get("annotations") or {}).get(CONTINUES, "")
    base = ApplicationObserved(
        app=app,
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        exists=True,
        adopts=adopts,
    )
    document, refused = application_in_force(obj)
    base = replace(base, refused=refused[:_REFUSED_CHARACTERS_MAX])
    if document is None:
        return base
    resolved = resolve(document, profiles)
    return replace(
        base,
        revision=resolved.revision,
        application_type=resolved.type,
        criticality=resolved.criticality,
        protections=tuple(_protection(resolve_protection(r, ())) for r in document.spec.protect),
        targets=resolved.targets,
        targets_named=bool(document.spec.targets),
        described=describe(resolved),
    )


def observe_policy(obj: Object, cluster: str) -> PolicyObserved:
    """Say what the Policy in force says, and why a newer document is refused."""
    meta = obj["metadata"]
    fact = PolicyObserved(
        app=policy_place(cluster, meta["name"]),
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        exists=True,
        generation=meta.get("generation", 0),
    )
    document, refused = policy_in_force(obj)
    fact = replace(fact, refused=refused[:_REFUSED_CHARACTERS_MAX])
    if document is None:
        return fact
    resolved = resolve_policy(document)
    return replace(
        fact,
        revision=resolved.revision,
        match=resolved.match,
        protections=(
            *(_protection(rule) for rule in resolved.protect),
            *(rule for one in resolved.react if (rule := _kept_by(one)) is not None),
        ),
        targets=resolved.targets,
        reactions=tuple(reaction_of(one) for one in resolved.react),
        rpo_alert_s=resolved.rpo_alert_s,
    )


def _protection(rule: ResolvedProtection) -> Protection:
    limit = rule.at_most
    common = Protection(
        name=rule.name,
        trigger=_KINDS[type(rule.trigger)],
        keep=keep_of(rule.keep) if rule.keep is not None else None,
        keep_in={vault: keep_of(counts) for vault, counts in rule.keep_in.items()},
        targets=rule.targets,
        settle_s=rule.settle_s,
        at_most=Rate(count=limit.count, window_s=limit.window_s) if limit else None,
        blackout=tuple(
            Blackout(schedule=one.opens.cron, timezone=one.opens.timezone, lasts_s=one.lasts_s)
            for one in rule.blackout
        ),
        priority=rule.priority,
    )
    return _with_trigger(common, rule.trigger)


def _with_trigger(rule: Protection, trigger: ResolvedTrigger) -> Protection:
    match trigger:
        case Schedule():
            rule = replace(
                rule,
                schedule=trigger.cron,
                timezone=trigger.timezone,
                jitter_s=trigger.jitter_s,
                missed=trigger.missed,
            )
        case RpoTrigger():
            rule = replace(rule, rpo_s=trigger.age_s)
        case ChangeTrigger():
            rule = replace(rule, change_of=trigger.of, when=trigger.when)
        case SignalTrigger():
            rule = replace(rule, signal=trigger.signal, when=trigger.when)
        case HealthTrigger():
            rule = replace(rule, health=trigger.becomes)
        case GateTrigger():
            rule = replace(rule, before=trigger.before)
        case ManualTrigger():
            pass
    return rule


def _kept_by(reaction: ResolvedReaction) -> Protection | None:
    """Return the rule by which versions stay that a reaction made; None: all of them."""
    backup = reaction.do.backup
    if backup is None or backup.keep is None:
        return None
    keep = keep_of(resolve_keep(backup.keep))
    return Protection(name=rule_of(digest_of(reaction)), trigger="reaction", keep=keep)


def keep_of(keep: ResolvedKeep) -> Keep:
    """Give a number of versions as messages carry it."""
    return Keep(
        last=keep.last,
        hourly=keep.hourly,
        daily=keep.daily,
        weekly=keep.weekly,
        monthly=keep.monthly,
        yearly=keep.yearly,
        within_s=keep.within_s,
    )
