"""The ports as one process of the matrix has them: each thing that changes something is an effect.

Those who wait in a thread for a store wait until the process is let go, or ended.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self, TypeVar

from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object, ObjectRef, PodRef
from appshield.kubernetes.executing import ExecOutcome
from appshield.objectstore import Content, ObjectStore
from failing_store import StoreAround
from matrix.process import DoomedProcess

R = TypeVar("R")


class ProcessCluster(Cluster):
    """The cluster as one process sees it; made by `of`."""

    process: DoomedProcess

    @classmethod
    @asynccontextmanager
    async def of(cls, process: DoomedProcess, access: ClusterAccess) -> AsyncIterator[Self]:
        """Connect a process."""
        async with cls.connect(access) as cluster:
            cluster.process = process
            yield cluster

    async def create(self, kind: Kind, body: Object, **how: Any) -> Object:
        return await self._effect("create", kind, partial(super().create, kind, body, **how))

    async def apply(self, kind: Kind, body: Object, **how: Any) -> Object:
        return await self._effect("apply", kind, partial(super().apply, kind, body, **how))

    async def replace(self, kind: Kind, body: Object, **how: Any) -> Object:
        return await self._effect("replace", kind, partial(super().replace, kind, body, **how))

    async def patch_status(self, kind: Kind, name: str, status: Object, **how: Any) -> Object:
        patch = partial(super().patch_status, kind, name, status, **how)
        return await self._effect("patch status", kind, patch)

    async def merge_patch(self, kind: Kind, name: str, patch: Object, **how: Any) -> Object:
        merge = partial(super().merge_patch, kind, name, patch, **how)
        return await self._effect("merge patch", kind, merge)

    async def delete(self, kind: Kind, name: str, **how: Any) -> bool:
        return await self._effect("delete", kind, partial(super().delete, kind, name, **how))

    async def execute(self, pod: PodRef, command: Sequence[str], **how: Any) -> ExecOutcome:
        execute = partial(super().execute, pod, command, **how)
        # what runs in a container cannot be fenced: a process that is stopped just between its
        # look at the promise and the hook is more than is promised
        resumes = command[0] == "rm"
        return await self.process.effect(f"execute {command[0]}", execute, at_once=resumes)

    async def record_event(self, about: Object | ObjectRef, **how: Any) -> None:
        await self.process.effect("record event", partial(super().record_event, about, **how))

    async def _effect(self, verb: str, kind: Kind, do: Callable[[], Awaitable[R]]) -> R:
        return await self.process.effect(f"{verb} {kind.plural}", do)


class ProcessStore(StoreAround):
    """The store as one process sees it."""

    def __init__(self, inner: ObjectStore, process: DoomedProcess) -> None:
        super().__init__(inner)
        self._process = process
        self._loop = asyncio.get_running_loop()

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        put = partial(self.inner.put, only_if_absent=only_if_absent, sha256=sha256)
        self._effect(f"put object {name}", lambda: put(name, data))

    def delete(self, name: str) -> None:
        self._effect(f"delete object {name}", lambda: self.inner.delete(name))

    def _effect(self, what: str, do: Callable[[], None]) -> None:
        async def done() -> None:
            do()

        asyncio.run_coroutine_threadsafe(self._process.effect(what, done), self._loop).result()
