"""What a reaction is called: it has no name in its document, so it goes by its content. Pure."""

import hashlib

import msgspec

from appshield.language.resolved import ResolvedReaction

_DIGITS = 12


def digest_of(reaction: ResolvedReaction) -> str:
    """Return the digest by which a reaction goes: the same words are the same reaction."""
    return hashlib.sha256(msgspec.json.encode(reaction, order="sorted")).hexdigest()[:_DIGITS]


def rule_of(digest: str) -> str:
    """Name the rule that says how long versions stay that a reaction made."""
    return f"react-{digest}"
