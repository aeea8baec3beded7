"""Who and what a message is about: applications, runs, and the names derived from them.

Every identity here is minted the same way by whoever computes it, so that a repeated request, a
second planner or a rebuilt installation arrives at the same name.
"""

import hashlib
import re
from typing import Literal

import msgspec

RunKind = Literal[
    "backup", "restore", "catalog", "forget", "prune", "check", "repair", "pin", "copy"
]

SYSTEM_NAMESPACE = "appshield-system"
"""AppShield's own namespace, and the place of what is asked about no application."""

_KUBERNETES_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_IDENTITY_DIGITS = 20
_ACTOR_LENGTH_MAX = 400
_PLAIN_IN_ACTOR = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_@:")


class AppRef(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An application by its place: cluster (a configured name), namespace, name."""

    cluster: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def same_place(one: AppRef, other: AppRef) -> bool:
    """Say whether two have the same namespace and name, in whatever clusters.

    The histories of a cluster that is lost are restored in another one.
    """
    return (one.namespace, one.name) == (other.namespace, other.name)


def application_id(cluster: str, uid: str) -> str:
    """Mint the identity under which versions of an application are kept, for ever.

    It comes from the uid of the first Application object, so a new object of the same name starts
    a new history, and a planner that lost its memory arrives at the same identity again.
    """
    return "a-" + _digest(f"application/{cluster}/{uid}")


def run_id(kind: RunKind, trigger: str) -> str:
    """Mint a run's identity from its trigger's, so that a repeated trigger is the same run."""
    return f"{kind[0]}-" + _digest(f"{kind}/{trigger}")


def token(name: str) -> str:
    """Turn a Kubernetes name into one subject token; lossless, as names never hold underscores.

    Raises:
        ValueError: `name` is no Kubernetes name.
    """
    if not _KUBERNETES_NAME.fullmatch(name):
        raise ValueError(f"not a Kubernetes name: {name!r}")
    return name.replace(".", "_")


def name_of(token_text: str) -> str:
    """Give back the Kubernetes name that `token` turned into this subject token."""
    return token_text.replace("_", ".")


def actor_token(actor: str) -> str:
    """Turn the name of who asks, whatever it is, into one subject token; two names are two tokens.

    Letters, digits and `-_@:` stay, each other byte becomes `=` and two digits. A name that gets
    too long for a subject becomes a digest; the message has it in full. Nobody is `=`.
    """
    written = "".join(
        chr(byte) if byte in _PLAIN_IN_ACTOR else f"={byte:02X}" for byte in actor.encode()
    )
    if len(written) > _ACTOR_LENGTH_MAX:
        return "==" + hashlib.sha256(actor.encode()).hexdigest()
    return written or "="


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_IDENTITY_DIGITS]
