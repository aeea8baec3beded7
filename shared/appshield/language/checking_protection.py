"""Rules between the fields that say when a backup is made and how long versions stay.

They hold in Applications and Policies alike, and work on plain data, as `checking` does.
"""

from appshield.language.expressions import CHANGE, LENGTH_MAX, SIGNAL, Environment
from appshield.language.plain_data import Fields, Problems, each_of, exactly_one, fields_of, unique
from appshield.language.problems import Path, Problem
from appshield.language.shape import is_clean

TRIGGERS = ("schedule", "rpo", "change", "signal", "health", "gate", "manual")
BELONGS_TO = {"timezone": "schedule", "jitter": "schedule", "missed": "schedule", "when": "signal"}
"""Fields of a trigger, by the one that they say more about."""
COUNTS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def check_protect(spec: Fields, path: Path) -> Problems:
    """Check every rule under `protect`."""
    yield from unique(spec.get("protect"), "name", (*path, "protect"))
    for rule, at in each_of(spec, "protect", path):
        if isinstance(rule.get("on"), dict):
            yield from _check_trigger(rule["on"], (*at, "on"))
        if isinstance(rule.get("keep"), dict):
            yield from check_keep(rule["keep"], (*at, "keep"))
        yield from check_targets(rule, at)
        yield from _check_keep_in(rule, rule.get("targets") or spec.get("targets"), at)


def _check_keep_in(rule: Fields, targets: object, path: Path) -> Problems:
    """Check what stays in single Vaults; where targets come from elsewhere, any may be named."""
    for vault, keep in fields_of(rule.get("keepIn")).items():
        at = (*path, "keepIn", vault)
        if isinstance(targets, list) and vault not in targets:
            right = f"write one of {', '.join(map(str, targets))}, or add it to targets"
            yield Problem(at, f"{str(vault)[:63]!r} is no target of this rule", right, at_key=True)
        if isinstance(keep, dict):
            yield from check_keep(keep, at)


def _check_trigger(trigger: Fields, path: Path) -> Problems:
    yield from exactly_one(trigger, TRIGGERS, "trigger", path)
    when = fields_of(trigger.get("change")).get("when")
    yield from check_expression(when, CHANGE, (*path, "change", "when"))
    if "signal" in trigger:
        yield from check_expression(trigger.get("when"), SIGNAL, (*path, "when"))
    if trigger.get("manual") is False:
        yield Problem((*path, "manual"), "false means nothing", "write true or remove the field")
    for field, owner in BELONGS_TO.items():
        if field in trigger and owner not in trigger:
            right = f"add {owner} or remove the field"
            if field == "when" and "change" in trigger:
                right = "write it in change"
            yield Problem((*path, field), f"belongs to a {owner}", right)


def check_keep(keep: Fields, path: Path) -> Problems:
    """Demand that something is kept."""
    if not any(keep.get(field) for field in (*COUNTS, "within")):
        right = "add last, hourly, daily, weekly, monthly, yearly or within"
        yield Problem(path, "keeps nothing", right)


def check_targets(owner: Fields, path: Path) -> Problems:
    """Demand that no Vault is listed twice."""
    targets = owner.get("targets")
    listed = targets if isinstance(targets, list) else []
    for index, target in enumerate(listed):
        if target in listed[:index]:
            at = (*path, "targets", index)
            yield Problem(at, f"{str(target)[:63]!r} is listed twice", "keep one of them")


def check_expression(text: object, environment: Environment, path: Path) -> Problems:
    """Check what `shape` lets pass."""
    if isinstance(text, str) and 0 < len(text) <= LENGTH_MAX and is_clean(text):
        for problem in environment.problems(text):
            yield Problem(path, problem.wrong, problem.right)
