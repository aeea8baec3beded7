"""A pool without processes: jobs are done here, in the order in which they come."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from appshield.repository.workers.ports import Done

Run = Callable[[msgspec.Struct, tuple[int, ...]], Any]


class LocalPool:
    """Does jobs in the caller's process, one after the other: for few jobs, and for tests.

    `run` does one with its descriptors: `partial(jobs.run, context)` is what a worker does.
    """

    def __init__(self, run: Run, *, go_on: Callable[[], None] = lambda: None) -> None:
        self._run = run
        self._go_on = go_on
        self._waiting: deque[tuple[msgspec.Struct, tuple[int, ...], Done]] = deque()
        self._at_work = False

    @property
    def workers(self) -> int:
        """See JobPool."""
        return 1

    def submit(
        self,
        job: msgspec.Struct,
        descriptors: Sequence[int] = (),
        *,
        done: Done,
        to: int | None = None,  # noqa: ARG002 - there is one
    ) -> None:
        """Do a job, and those that come of it; see JobPool."""
        self._waiting.append((job, tuple(descriptors), done))
        if self._at_work:
            return
        self._at_work = True
        try:
            while self._waiting:
                self._go_on()
                following, held, take = self._waiting.popleft()
                take(self._run(following, held))
        finally:
            self._at_work = False

    def drain(self) -> None:
        """Nothing is ever under way."""

    def wait(self) -> None:
        """Nothing is ever under way."""

    def broadcast(self, job: msgspec.Struct, *, done: Done) -> None:
        """See JobPool."""
        self.submit(job, done=done)
