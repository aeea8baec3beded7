"""Waiting for the end of a run: its key is watched, its progress is heard, both are shown.

Ctrl-C ends the waiting and never the run.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TypeVar

from appshield.bus import Bucket, Bus, Change
from appshield.cli.output import note
from appshield.cli.progress import Display, Silent
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.message import Message
from appshield.contracts.runs import FINAL_STATES, Progress, Run
from appshield.contracts.streams import APPLICATIONS, RUNS
from appshield.contracts.subjects import ROOT
from appshield.errors import UnavailableError

ADMITTED_WITHIN_S = 12.0
"""A planner that takes over from a dead one needs up to 8 s (the life of the lease)."""

_DECIDED = FINAL_STATES | {"pending", "awaiting-approval", "running", "ending"}
T = TypeVar("T")

_LIVE = f"{ROOT}.live.progress.>"


async def ended(
    bus: Bus, run: str, shown: Display, *, admitted_within_s: float = ADMITTED_WITHIN_S
) -> Run:
    """Return a run as it is at its end; a run that was folded into another is that one.

    Raises:
        UnavailableError: no planner has admitted it in time. The request stays stored.
    """
    following = run

    async def heard(message: Message, _: str) -> None:
        if isinstance(message, Progress) and message.run == following:
            shown.progressed(message)

    try:
        with shown:
            async with bus.listen(_LIVE, heard):
                while True:
                    last = await _until(bus, following, shown, FINAL_STATES, admitted_within_s)
                    if last.state != "folded":
                        return last
                    following = last.folded_into
    except asyncio.CancelledError:
        note(
            f"the run goes on. `appshield run {following} --wait` follows it, "
            f"`appshield cancel {following}` stops it."
        )
        raise


async def admitted(bus: Bus, run: str, shown: Display, *, within_s: float) -> Run | None:
    """Return a run as soon as a planner has decided on it; None when none did in time."""
    try:
        return await _until(bus, run, shown, _DECIDED, within_s)
    except UnavailableError:
        return None


async def approved(bus: Bus, run: str) -> Run:
    """Return a run as soon as it does not wait for approval any more.

    Raises:
        UnavailableError: no planner has taken the approval up in time. It stays stored.
    """
    beyond = _DECIDED - {"awaiting-approval"}
    return await _until(bus, run, Silent(), beyond, ADMITTED_WITHIN_S, any_state=False)


async def paused(bus: Bus, app_id: str, *, wanted: bool) -> None:
    """Return as soon as an application is paused, or is not.

    Raises:
        UnavailableError: no planner has taken the request up in time. It stays stored.
    """
    try:
        async with (
            asyncio.timeout(ADMITTED_WITHIN_S),
            _watch(bus.bucket(APPLICATIONS, ApplicationRecord), app_id) as changes,
        ):
            async for change in changes:
                if change.value is not None and wanted == (change.value.paused is not None):
                    return
    except TimeoutError as error:
        raise nobody_plans("`appshield status` shows when it is done") from error


async def _until(
    bus: Bus,
    run: str,
    shown: Display,
    states: frozenset[str],
    within_s: float,
    *,
    any_state: bool = True,
) -> Run:
    """Wait for one of `states`; that the run exists is enough to wait for ever, or it is not."""
    runs = bus.bucket(RUNS, Run)
    try:
        async with asyncio.timeout(within_s) as limit, _watch(runs, run) as changes:
            async for change in changes:
                if change.value is None:
                    continue
                if any_state:
                    limit.reschedule(None)
                shown.run_changed(change.value)
                if change.value.state in states:
                    return change.value
    except TimeoutError as error:
        raise nobody_plans(f"`appshield run {run} --wait`") from error
    raise UnavailableError(f"run {run} cannot be followed", why="the bus is gone")


@contextlib.asynccontextmanager
async def _watch(bucket: Bucket[T], key: str) -> AsyncIterator[AsyncIterator[Change[T]]]:
    stopping = asyncio.Event()
    watch = bucket.watch(key, stopping=stopping)
    try:
        yield watch
    finally:
        stopping.set()
        if (close := getattr(watch, "aclose", None)) is not None:
            await close()


def nobody_plans(then: str) -> UnavailableError:
    """Say that a request waits for a planner, and what to do when one runs."""
    return UnavailableError(
        "the request is stored, but no planner has taken it up",
        why="none seems to run",
        next_step=f"Start the services (`appshield up`); then {then}.",
    )
