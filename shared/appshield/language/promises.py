"""What the rules of a document promise about the age of the newest version. Pure."""

from collections.abc import Iterable

from appshield.language.protection import Protection
from appshield.language.values import seconds


def rpo_s(rules: Iterable[Protection]) -> int:
    """Return the strictest `rpo` of some rules in seconds; 0 where none promises one."""
    return min((seconds(rule.on.rpo) for rule in rules if rule.on.rpo), default=0)
