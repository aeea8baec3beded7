"""Waiting for a state with a deadline: the only way in which tests wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def wait_until(
    check: Callable[[], Coroutine[Any, Any, T | None]],
    *,
    deadline_s: float,
    what: str,
    every_s: float = 0.05,
) -> T: ...
@overload
async def wait_until(
    check: Callable[[], T | None], *, deadline_s: float, what: str, every_s: float = 0.05
) -> T: ...
async def wait_until(
    check: Callable[[], Awaitable[T | None] | T | None],
    *,
    deadline_s: float,
    what: str,
    every_s: float = 0.05,
) -> T:
    """Return the first truthy answer of `check`; fail after `deadline_s`, naming `what`."""
    last = time.monotonic() + deadline_s
    while True:
        answer = check()
        value: T | None = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > last:
            raise AssertionError(f"not within {deadline_s} s: {what} (last answer: {value!r})")
        await asyncio.sleep(every_s)


def wait_for_now(
    check: Callable[[], T | None], *, deadline_s: float, what: str, every_s: float = 0.05
) -> T:
    """Like `wait_until`, for tests and fixtures that do not run in an event loop."""
    last = time.monotonic() + deadline_s
    while True:
        if value := check():
            return value
        if time.monotonic() > last:
            raise AssertionError(f"not within {deadline_s} s: {what} (last answer: {value!r})")
        time.sleep(every_s)
