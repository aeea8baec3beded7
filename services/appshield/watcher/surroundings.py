"""What stands around applications and policies may ask for: namespaces' labels, and volumes.

Of a namespace just the labels are kept, of volumes what leads to them (see `volumes`). A change is
told on, so that the applications of the namespace are looked at again.
"""

import asyncio
from collections.abc import Callable

from appshield.contracts.applications import Described, DescribedComponent
from appshield.kubernetes import Object
from appshield.language.resolved import ResolvedApplication
from appshield.watcher.volumes import Changed, Volumes

Asked = Callable[[ResolvedApplication], dict[str, str]]
"""Chooses of an Application's annotations those that may be told."""


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


class Surroundings:
    """What stands around the applications of one cluster; `changed` is set by who is told."""

    def __init__(self) -> None:
        self.changed: Changed | None = None
        self.namespaces = Namespaces(self.look_again)
        self.volumes = Volumes(self.look_again)

    async def known(self) -> None:
        """Wait until all of it has been listed once."""
        await self.namespaces.listed.wait()
        await self.volumes.listed.wait()

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
            volumes=self.volumes.of(application),
        )

    async def look_again(self, namespace: str) -> None:
        """Have the applications of a namespace looked at again, or all of them."""
        if self.changed is not None:
            await self.changed(namespace)
