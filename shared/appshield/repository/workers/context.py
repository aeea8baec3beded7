"""The surroundings of jobs: one in each worker process, or one in the caller's own."""

from collections.abc import Callable, Mapping
from typing import Protocol, Self, TypeVar

import msgspec

from appshield.objectstore import ObjectStore, open_store
from appshield.repository.crypto import SealingKey
from appshield.repository.settings import PackSettings
from appshield.repository.workers.setup import WorkerSetup

Emit = Callable[[msgspec.Struct], None]
"""Sends an event to whoever owns the pool, before the job's reply; from any thread."""


class Part(Protocol):
    """What a family of jobs keeps from one job to the next."""

    @classmethod
    def of(cls, context: "WorkerContext") -> Self:
        """Make it, when the first job of its family comes."""
        ...

    def close(self) -> None:
        """Let go of it, at the end of the worker."""
        ...


P = TypeVar("P", bound=Part)


class WorkerContext:
    """Store, key, settings and shared memory; this is worker `number` of `workers`.

    `memory` gives descriptors of shared memory by name; what it holds is up to the jobs.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        key: SealingKey,
        packs: PackSettings,
        emit: Emit,
        memory: Mapping[str, int],
        number: int = 0,
        workers: int = 1,
    ) -> None:
        self.store = store
        self.key = key
        self.packs = packs
        self.emit = emit
        self.memory = memory
        self.number = number
        self.workers = workers
        self._parts: dict[type, Part] = {}

    @classmethod
    def from_setup(
        cls, setup: WorkerSetup, memory: Mapping[str, int], emit: Emit, *, number: int, workers: int
    ) -> "WorkerContext":
        """Make the context of a worker process."""
        return cls(
            store=open_store(setup.store),
            key=setup.key.key(),
            packs=setup.packs,
            emit=emit,
            memory=memory,
            number=number,
            workers=workers,
        )

    def part(self, kind: type[P]) -> P:
        """Return the part of this kind; it is made on first use and stays."""
        part = self._parts.get(kind)
        if part is None:
            part = self._parts[kind] = kind.of(self)
        assert isinstance(part, kind)
        return part

    def close(self) -> None:
        """Close all parts."""
        while self._parts:
            self._parts.popitem()[1].close()
