"""Blocking work in a thread that can be told to stop and is always waited for."""

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import TypeVar

from appshield.allocator import give_free_pages_back

T = TypeVar("T")

Cancelled = Callable[[], bool]
"""Asked by the work now and then: whether it should stop."""


async def run_bulk(work: Callable[[Cancelled], T]) -> T:
    """Run work that moves much data as `run_blocking` does, and give its memory back.

    Buffers of many MiB hang in circles, which the collector would find much later.
    """
    try:
        return await run_blocking(work)
    finally:
        gc.collect()
        give_free_pages_back()


async def run_blocking(work: Callable[[Cancelled], T]) -> T:
    """Run `work` in a thread; when cancelled, tell it so and wait until it has stopped.

    Nothing of the work goes on after this has returned or raised.
    """
    stop = threading.Event()
    future = asyncio.ensure_future(asyncio.to_thread(work, stop.is_set))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({future})
        if not future.cancelled():
            future.exception()
        raise
