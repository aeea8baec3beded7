"""Whether a caller may create what a restore creates (ADR 45).

Of each kind that the version holds and the restore chooses, the caller needs the cluster's own
right to create it in the target namespace, and to update it where the restore goes onto what is
there. Kinds without a namespace are asked for everywhere: a
restore makes such objects only where they are absent, but what a caller may not make at all is not
made for them. A version of before its kinds were written down needs the right to create anything.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from appshield.capture.layout import VOLUMES, manifest_file
from appshield.contracts.backups import VersionFacts
from appshield.errors import DeniedError
from appshield.kubernetes import Actor, Cluster
from appshield.kubernetes.kinds import NAMESPACE
from appshield.manifests.kinds import MADE_WHEN_NAMED
from appshield.repository.files import Selection
from appshield.rights.access import EVERYWHERE, Access

ANY = "*"
_CLAIM = "PersistentVolumeClaim"
_DOCUMENT = "Application.appshield.io"
_MADE_WHEN_NAMED = frozenset(f"{kind}.{group}" for group, kind in MADE_WHEN_NAMED)


class ServedKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind as rights name it."""

    group: str
    resource: str
    namespaced: bool = True


class Kinds(Protocol):
    """Knows what the cluster serves, and which namespaces there are."""

    async def served(self, kind: str) -> ServedKind | None:
        """Return the kind that is named like `Deployment.apps`, None where it is not served."""

    async def has_namespace(self, name: str) -> bool:
        """Say whether a namespace is there."""


class ClusterKinds:
    """Asks the API server."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def served(self, kind: str) -> ServedKind | None:
        """Return the kind that is named like `Deployment.apps`, None where it is not served."""
        name, _, group = kind.partition(".")
        for one in await self._cluster.kinds():
            if (one.kind, one.group) == (name, group):
                return ServedKind(group=group, resource=one.plural, namespaced=one.namespaced)
        return None

    async def has_namespace(self, name: str) -> bool:
        """Say whether a namespace is there."""
        return await self._cluster.get(NAMESPACE, name) is not None


def kinds_made(facts: VersionFacts, paths: Sequence[str], target: str) -> tuple[str, ...]:
    """Name the kinds of which a restore may create something; `*` for all there are. Pure."""
    if not facts.kinds:
        return (ANY,)
    held = [*facts.kinds, *([_DOCUMENT] if target == facts.app.namespace else [])]
    if not paths:
        return tuple(sorted(set(held) - _MADE_WHEN_NAMED))
    chosen = Selection(tuple(paths))
    made = {kind for kind in held if _reaches(chosen, _folder(kind))}
    if _reaches(chosen, VOLUMES):
        made.add(_CLAIM)
    return tuple(sorted(made))


async def ensure_may_create(
    access: Access,
    kinds: Kinds,
    caller: Actor,
    made: Iterable[str],
    target: str,
    *,
    existing: bool = False,
) -> None:
    """Let a restore go on whose caller may create every kind of it, and change what is `existing`.

    Raises:
        DeniedError: they may not; names each kind.
    """
    verbs = ("create", "update") if existing else ("create",)
    wanted = [one for one in made if one != "Namespace" or not await kinds.has_namespace(target)]
    missing = [
        described
        for verb in verbs
        for kind in wanted
        if (described := await _missing(access, kinds, caller, verb=verb, kind=kind, target=target))
    ]
    if missing:
        raise DeniedError(
            f"{caller.name} may not restore this into namespace {target}",
            why=f"the right to {', '.join(missing)} is missing",
            next_step="Restore a part of it (paths), or ask for these rights.",
        )


async def _missing(
    access: Access, kinds: Kinds, caller: Actor, *, verb: str, kind: str, target: str
) -> str:
    """Describe the right that is missing for a kind, nothing where it is there."""
    served = await _served(kinds, kind)
    namespace = target if served.namespaced else EVERYWHERE
    if await access.holds(caller, verb, served.resource, namespace, group=served.group):
        return ""
    where = f"in {namespace}" if namespace else "in the whole cluster"
    name = f"{served.resource}.{served.group}" if served.group else served.resource
    return f"{verb} {name} {where}"


async def _served(kinds: Kinds, kind: str) -> ServedKind:
    """Give a kind as rights name it; one that is not served needs the right to all of its group."""
    if kind == ANY:
        return ServedKind(group=ANY, resource=ANY)
    group = kind.partition(".")[2]
    return await kinds.served(kind) or ServedKind(group=group, resource=ANY)


def _folder(kind: str) -> str:
    name, _, group = kind.partition(".")
    return manifest_file(group, name, "").rpartition("/")[0]


def _reaches(chosen: Selection, folder: str) -> bool:
    path = os.fsencode(folder)
    return chosen.covers(path) or chosen.may_hold(path)
