"""A rule of a document as messages carry it. Pure."""

from msgspec.structs import replace

from appshield.contracts.applications import Blackout, Keep, Protection, Rate, TriggerKind
from appshield.language.resolved import (
    ChangeTrigger,
    GateTrigger,
    HealthTrigger,
    ManualTrigger,
    ResolvedKeep,
    ResolvedProtection,
    ResolvedTrigger,
    RpoTrigger,
    Schedule,
    SignalTrigger,
)

_KINDS: dict[type, TriggerKind] = {
    Schedule: "schedule",
    RpoTrigger: "rpo",
    ChangeTrigger: "change",
    SignalTrigger: "signal",
    HealthTrigger: "health",
    GateTrigger: "gate",
    ManualTrigger: "manual",
}


def protection_of(rule: ResolvedProtection) -> Protection:
    """Give a rule as messages carry it."""
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
