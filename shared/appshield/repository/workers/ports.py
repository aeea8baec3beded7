"""The port of a pool of workers."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

R = TypeVar("R")

Done = Callable[[Any], None]
"""Called with the reply of a job."""

Work = Generator[None, None, R]
"""A job at work, which returns its reply. Where it yields, a worker may begin the one after it."""


def finished(work: Work[R]) -> R:
    """Do a job to its end, and nothing else meanwhile."""
    while True:
        try:
            next(work)
        except StopIteration as ended:
            reply: R = ended.value
            return reply


class JobPool(Protocol):
    """Does jobs, in processes of its own or here."""

    @property
    def workers(self) -> int:
        """How many workers share the jobs; at least 1."""
        ...

    def submit(
        self,
        job: msgspec.Struct,
        descriptors: Sequence[int] = (),
        *,
        done: Done,
        to: int | None = None,
    ) -> None:
        """Give a job, to any worker or to one in particular; waits while all have enough.

        The descriptors must stay open until `done` is called. Raises the first failure.
        """
        ...

    def drain(self) -> None:
        """Wait until all jobs are done; raises the first failure."""
        ...

    def wait(self) -> None:
        """Wait until something has happened, such as a reply; raises the first failure."""
        ...

    def broadcast(self, job: msgspec.Struct, *, done: Done) -> None:
        """Give a job to each worker that has started."""
        ...
