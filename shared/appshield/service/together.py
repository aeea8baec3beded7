"""Several pieces of work at once; the first error ends them all and is raised as itself."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from appshield.errors import AppShieldError

T = TypeVar("T")
U = TypeVar("U")


async def together(work: Iterable[Coroutine[Any, Any, T]], *, at_once: int = 16) -> list[T]:
    """Run all of `work`, at most `at_once` at a time; return the results in order.

    When one fails the others are cancelled. An error that AppShield raises on purpose comes out
    alone, not in a group, and so does any other that is the only one.
    """
    places = asyncio.Semaphore(at_once)

    async def in_place(one: Coroutine[Any, Any, T]) -> T:
        async with places:
            return await one

    async with _one_error(), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(in_place(one)) for one in work]
    return [task.result() for task in running]


async def both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Run two pieces of work of different kinds at once; errors as in `together`."""
    async with _one_error(), asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(one), tasks.create_task(other)
    return first.result(), second.result()


@asynccontextmanager
async def _one_error() -> AsyncIterator[None]:
    try:
        yield
    except BaseExceptionGroup as group:
        known, unknown = group.split(AppShieldError)
        if unknown is None and known is not None:
            raise first_of(known) from group
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group
        raise


def first_of(group: BaseExceptionGroup[AppShieldError]) -> AppShieldError:
    """Give the first error in a group, however deep."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    if not isinstance(found, AppShieldError):
        raise TypeError(type(found).__name__)
    return found
