"""What stands around applications and policies may ask for: namespaces' labels, and volumes.

Of a namespace just the labels are kept, of a claim its labels, storage class and size. A change is
told on, so that the applications of the namespace are looked at again.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from appshield.contracts.applications import Described, DescribedComponent, DescribedVolume
from appshield.kubernetes import Object
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.objects import EXCLUDE_LABEL
from appshield.manifests.quantities import size_bytes
from appshield.manifests.selecting import matches_labels

Changed = Callable[[str], Awaitable[None]]
"""Told the name of a namespace in which something has changed; empty: in all of them."""
Asked = Callable[[ResolvedApplication], dict[str, str]]
"""Chooses of an Application's annotations those that may be told."""


class Claim(msgspec.Struct, frozen=True):
    """What is kept of a claim."""

    labels: Mapping[str, str]
    volume: DescribedVolume


class Namespaces:
    """The sink of the watch on namespaces."""

    def __init__(self, changed: Changed) -> None:
        self.listed = asyncio.Event()
        self._changed = changed
        self._labels: dict[str, dict[str, str]] = {}

    def labels_of(self, namespace: str) -> dict[str, str]:
        """Return the labels of a namespace."""
        return self._labels.get(namespace, {})

    async def replace(self, objects: list[Object]) -> None:
        """Take in all namespaces."""
        names = {obj["metadata"]["name"] for obj in objects}
        self._labels = {name: one for name, one in self._labels.items() if name in names}
        for obj in objects:
            await self.changed(obj)
        self.listed.set()

    async def changed(self, obj: Object) -> None:
        """Take in one namespace."""
        name, labels = obj["metadata"]["name"], obj["metadata"].get("labels") or {}
        if self._labels.get(name) != labels:
            self._labels[name] = labels
            await self._changed(name)

    async def deleted(self, obj: Object) -> None:
        """Forget a namespace; its applications go by themselves."""
        self._labels.pop(obj["metadata"]["name"], None)


class Claims:
    """The sink of the watch on volume claims."""

    def __init__(self, changed: Changed) -> None:
        self.listed = asyncio.Event()
        self._changed = changed
        self._claims: dict[str, dict[str, Claim]] = {}

    def volumes_of(self, application: ResolvedApplication) -> tuple[DescribedVolume, ...]:
        """Return the volumes of an application, by name.

        These are the claims that its selector selects, and those that its stateful components made;
        without a selector all of its namespace.
        """
        claims = self._claims.get(application.namespace, {})
        return tuple(one.volume for _, one in sorted(claims.items()) if _belongs(one, application))

    async def replace(self, objects: list[Object]) -> None:
        """Take in all claims."""
        found: dict[str, dict[str, Claim]] = {}
        for obj in objects:
            meta = obj["metadata"]
            found.setdefault(meta["namespace"], {})[meta["name"]] = _claim(obj)
        before, self._claims = self._claims, found
        for namespace in sorted(before.keys() | found.keys()):
            if before.get(namespace) != found.get(namespace):
                await self._changed(namespace)
        self.listed.set()

    async def changed(self, obj: Object) -> None:
        """Take in one claim."""
        meta, claim = obj["metadata"], _claim(obj)
        claims = self._claims.setdefault(meta["namespace"], {})
        if claims.get(meta["name"]) != claim:
            claims[meta["name"]] = claim
            await self._changed(meta["namespace"])

    async def deleted(self, obj: Object) -> None:
        """Forget a claim."""
        meta = obj["metadata"]
        if self._claims.get(meta["namespace"], {}).pop(meta["name"], None):
            await self._changed(meta["namespace"])


class Surroundings:
    """What stands around the applications of one cluster; `changed` is set by who is told."""

    def __init__(self) -> None:
        self.changed: Changed | None = None
        self.namespaces = Namespaces(self.look_again)
        self.claims = Claims(self.look_again)

    async def known(self) -> None:
        """Wait until all of it has been listed once."""
        await self.namespaces.listed.wait()
        await self.claims.listed.wait()

    def describe(self, application: ResolvedApplication, asked: Asked) -> Described:
        """Say what policies may ask about an application."""
        return Described(
            labels=application.labels,
            annotations=asked(application),
            namespace_labels=self.namespaces.labels_of(application.namespace),
            components=tuple(
                DescribedComponent(
                    name=one.name,
                    profile=one.profile,
                    strategy=one.strategy,
                    workload_kind=one.workload.kind,
                    workload_name=one.workload.name,
                )
                for one in application.components
            ),
            volumes=self.claims.volumes_of(application),
        )

    async def look_again(self, namespace: str) -> None:
        """Have the applications of a namespace looked at again, or all of them."""
        if self.changed is not None:
            await self.changed(namespace)


def _claim(obj: Object) -> Claim:
    spec = obj.get("spec") or {}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "")
    volume = DescribedVolume(
        claim=obj["metadata"]["name"],
        storage_class=spec.get("storageClassName") or "",
        size_bytes=size_bytes(str(asked)),
    )
    return Claim(obj["metadata"].get("labels") or {}, volume)


def _belongs(claim: Claim, application: ResolvedApplication) -> bool:
    if claim.labels.get(EXCLUDE_LABEL) == "true":
        return False
    selector = application.resources.selector
    if selector is None:
        return True
    return matches_labels(selector, claim.labels) or any(
        re.search(rf"-{re.escape(component.workload.name)}-[0-9]+$", claim.volume.claim)
        for component in application.components
        if component.workload.kind == "StatefulSet"
    )
