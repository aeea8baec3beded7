"""Threads with a bound: whoever gives work waits while too much of it is under way.

The first failure is kept, work that comes later is dropped, and everybody who gives or awaits work
is told about it. Nobody waits for work that cannot end.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Failure:
    """The first error of several pools that serve one purpose."""

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def __bool__(self) -> bool:
        return self._error is not None

    def keep(self, error: BaseException) -> None:
        """Remember the error unless there is an earlier one."""
        self._error = self._error or error

    def check(self) -> None:
        """Raise the error, if there is one."""
        if self._error is not None:
            raise self._error


class BoundedPool:
    """Runs work in `threads` threads, with at most `waiting` pieces more that wait for one."""

    def __init__(self, name: str, *, threads: int, waiting: int, failure: Failure) -> None:
        self._failure = failure
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threading.Semaphore(threads + waiting)
        self._under_way: set[Future[None]] = set()
        self._changed = threading.Condition()

    def submit(self, work: Callable[[], None]) -> None:
        """Give work; blocks while there is no room. Raises the first failure of any work."""
        self._failure.check()
        self._room.acquire()
        try:
            with self._changed:
                future = self._executor.submit(self._run, work)
                self._under_way.add(future)
        except BaseException:
            self._room.release()
            raise
        future.add_done_callback(self._done)
        self._failure.check()

    def drain(self) -> None:
        """Wait until no work is under way. Raises the first failure of any work."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)
        self._failure.check()

    def close(self) -> None:
        """Wait for the work under way, raise nothing, and end the threads."""
        self._executor.shutdown(wait=True)

    def _run(self, work: Callable[[], None]) -> None:
        if self._failure:
            return
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again for whoever gave the work
            self._failure.keep(error)

    def _done(self, future: Future[None]) -> None:
        self._room.release()
        with self._changed:
            self._under_way.discard(future)
            self._changed.notify_all()
