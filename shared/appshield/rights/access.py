"""What callers may: asked for each action in the namespace where it would act."""

from collections.abc import Iterable
from typing import Protocol

from appshield.doors.actions import Action
from appshield.errors import DeniedError
from appshield.kubernetes import Actor
from appshield.language.kinds import GROUP
from appshield.service import together

EVERYWHERE = ""
"""The namespace of what is asked for the whole cluster."""


class Authorizer(Protocol):
    """Knows who has which right."""

    async def allows(
        self,
        caller: Actor,
        verb: str,
        resource: str,
        namespace: str,
        *,
        name: str = "",
        group: str = GROUP,
    ) -> bool:
        """Say whether a caller has a right on a resource, by default of AppShield's API group.

        Raises:
            UnavailableError: it cannot be found out now.
        """


class Access:
    """Answers about actions, by the rights that they need."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def may(self, caller: Actor, action: Action, namespace: str) -> bool:
        """Say whether a caller may do something in a namespace."""
        return await self._authorizer.allows(caller, action.verb, action.resource, namespace)

    async def holds(
        self, caller: Actor, verb: str, resource: str, namespace: str, *, group: str
    ) -> bool:
        """Say whether a caller has the cluster's own right on a resource of any API group."""
        return await self._authorizer.allows(caller, verb, resource, namespace, group=group)

    async def require(self, caller: Actor, action: Action, namespace: str) -> None:
        """Let a caller go on who may.

        Raises:
            DeniedError: they may not; says which right is missing where.
        """
        if not await self.may(caller, action, namespace):
            where = f"in namespace {namespace}" if namespace else "in the whole cluster"
            raise DeniedError(
                f"{caller.name} may not {action.does} {where}",
                why=f"the right to {action.verb} {action.resource}.appshield.io is missing there",
                next_step=f"Ask for the role appshield-{action.role}, or one that holds this right",
            )

    async def visible(
        self, caller: Actor, action: Action, namespaces: Iterable[str]
    ) -> frozenset[str]:
        """Return those of the namespaces in which a caller may do something."""
        wanted = set(namespaces)
        if await self.may(caller, action, EVERYWHERE):
            return frozenset(wanted)
        listed = sorted(wanted)
        allowed = await together(self.may(caller, action, namespace) for namespace in listed)
        return frozenset(one for one, may in zip(listed, allowed, strict=True) if may)
