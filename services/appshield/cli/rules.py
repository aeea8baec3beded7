"""A rule that is in force, as text for people. Pure."""

from collections.abc import Iterator

from appshield.contracts.applications import Keep, Protection
from appshield.language.values import duration


def rule_text(rule: Protection) -> str:
    """Write what starts a rule's backups, what holds them back, and how many versions it keeps."""
    held = list(_holds_back(rule))
    keeps = [_counts(rule.keep)] if rule.keep else []
    keeps += [f"{_counts(keep)} in {vault}" for vault, keep in rule.keep_in.items()]
    kept = [f"keeps {'; '.join(keeps)}"] if keeps else []
    return ", ".join((_starts(rule), *held, *kept))


def _starts(rule: Protection) -> str:
    jitter = f", up to {duration(rule.jitter_s)} later" if rule.jitter_s else ""
    condition = f" when {rule.when}" if rule.when else ""
    values = {
        "schedule": f"{rule.schedule} ({rule.timezone}){jitter}",
        "rpo": duration(rule.rpo_s),
        "change": f"of {', '.join(rule.change_of)}{condition}",
        "signal": f"{rule.signal}{condition}",
        "health": rule.health,
        "gate": f"before {' and '.join(rule.before)}",
    }
    return f"{rule.trigger} {values.get(rule.trigger, '')}".rstrip()


def _holds_back(rule: Protection) -> Iterator[str]:
    if rule.settle_s:
        yield f"settled for {duration(rule.settle_s)}"
    if rule.at_most is not None:
        yield f"at most {rule.at_most.count} in {duration(rule.at_most.window_s)}"
    for window in rule.blackout:
        opens = f"{window.schedule} ({window.timezone})"
        yield f"never from {opens} for {duration(window.lasts_s)}"


def _counts(keep: Keep) -> str:
    units = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
    counts = ((unit, getattr(keep, unit)) for unit in units)
    found = [f"{count} {unit}" for unit, count in counts if count]
    return ", ".join((*found, *([f"within {duration(keep.within_s)}"] if keep.within_s else ())))
