"""Grants: what a user of the bus may ask for, and the subjects that follow from it. Pure.

A grant is the last word of the planner on a request that came through the door `bus`; the server of
the bus lets its user publish no others. Such a user hears the facts of its namespaces and looks
them up one by one. It reads no bucket and no stream: their keys and pages hold all applications.
"""

import re
from typing import Annotated

import msgspec

from appshield.contracts import subjects
from appshield.contracts.identities import token
from appshield.contracts.message import Request
from appshield.contracts.permissions import UserSpec, users_of
from appshield.contracts.requests import RequestCatalog
from appshield.contracts.runs import Failure
from appshield.doors.actions import ROLES, Action, Role
from appshield.doors.wanting import WANTED, Need, needs
from appshield.errors import InvalidInputError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED = frozenset(user.name for user in users_of("any", "any"))
_HEARS = ("run.changed", "pause.changed", "rpo.changed", "version.copied", "backup.stored")
_LOOKS_UP = ("application.observed", "health.changed")


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one user of the bus may do: a role, in namespaces of a cluster.

    `signals` are those that it may send; they belong to no namespace, so no role gives any.
    """

    name: str
    role: Role
    cluster: str
    namespaces: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    signals: tuple[str, ...] = ()

    def allows(self, need: Need) -> bool:
        """Say whether this grant gives a right."""
        return need.namespace in self.namespaces and self.includes(need.action)

    def includes(self, action: Action) -> bool:
        """Say whether the role may do this at all."""
        return ROLES.index(self.role) >= ROLES.index(action.role)


def refusal(request: Request, grant: Grant | None) -> Failure | None:
    """Say which right a user of the bus lacks for a request, None where it has all of them."""
    cluster = request.app.cluster
    if grant is None or grant.cluster != cluster:
        return Failure(
            what=f"{request.actor or 'nobody'} may ask for nothing in cluster {cluster}",
            why="no user of the bus has a grant of that name for it",
            next_step="`appshield bus-user list` shows those that have one.",
        )
    missing = next((need for need in needs(request) if not grant.allows(need)), None)
    if missing is None:
        return None
    where = ", ".join(grant.namespaces)
    place = f"namespace {missing.namespace}" if missing.namespace else "the whole cluster"
    return Failure(
        what=f"{grant.name} may not {missing.action.does} in {place}",
        why=f"that needs `{missing}`, and it is {grant.role} in {where}",
        next_step="`appshield bus-user add` gives it another role, or another namespace.",
    )


def checked(grant: Grant) -> Grant:
    """Return a grant whose names are such that no subject becomes wider by them.

    Raises:
        InvalidInputError: a name is none, or is that of a service.
    """
    for what, name in (("user of the bus", grant.name), *(("signal", s) for s in grant.signals)):
        if not _NAME.fullmatch(name):
            raise InvalidInputError(
                f"{name!r} is no name for a {what}",
                why="such names consist of a-z, 0-9 and '-', and have at most 63 of them",
                next_step="Choose another one.",
            )
    if grant.name in _RESERVED:
        raise InvalidInputError(
            f"{grant.name} is a user of AppShield itself", next_step="Choose another name."
        )
    for namespace in grant.namespaces:
        try:
            token(namespace)
        except ValueError as error:
            raise InvalidInputError(f"{namespace!r} is no namespace", why=str(error)) from error
    return grant


def user_of(grant: Grant) -> UserSpec:
    """Say what the user of a grant does on the bus."""
    places = [f"{token(grant.cluster)}.{token(namespace)}.*" for namespace in grant.namespaces]
    nouns = [
        request.noun
        for request, wanted in WANTED.items()
        if request is not RequestCatalog and all(map(grant.includes, wanted))
    ]
    asks = [
        subjects.requests(noun, place=place, door="bus", actor=grant.name)
        for place in places
        for noun in nouns
    ]
    facts = [f"{subjects.ROOT}.evt.{fact}.{place}" for fact in _HEARS for place in places]
    latest = [f"{subjects.ROOT}.evt.{fact}.{place}" for fact in _LOOKS_UP for place in places]
    live = [f"{subjects.ROOT}.live.progress.{place}" for place in places]
    signals = [subjects.signal(signal) for signal in grant.signals]
    return UserSpec(
        name=grant.name,
        publishes=(*asks, *signals),
        listens=(*facts, *latest, *live),
        latest=tuple(latest),
    )
