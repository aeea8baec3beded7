"""Measure the REST API under load: `python -m bench.rest`, with `--small` a tenth of it.

A gateway in a process of its own, over a real message bus. Clients page through all applications,
each turning a page every so often; then listeners hear a burst of changes, of which each carries
the moment at which it was written. Results go to `RESULTS-REST.md` beside this file.
"""

import argparse
import asyncio
import datetime as dt
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp

from appshield.bus import Bus, connect_bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import APPLICATIONS
from bench.measuring import cpu_of
from embedded_bus import running_bus
from rest_api import CLUSTER
from rest_gateway_process import GatewayProcess, bearer

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS-REST.md"
PAGE: Final = 100
PAGE_EVERY_S: Final = 2.0
"""How often each client turns a page."""
PAGES_EACH: Final = 10
BURST_S: Final = 10.0
BURST_APPLICATIONS: Final = 100
"""Over how many applications the changes of a burst go round."""
WRITERS: Final = 32
MIB: Final = 1024 * 1024


class Load(NamedTuple):
    """How much there is of everything."""

    applications: int = 10_000
    clients: int = 200
    listeners: int = 500
    facts_per_s: int = 1_000


class Line(NamedTuple):
    """One row of the table."""

    what: str
    measured: str
    required: str = ""


class Heard:
    """What listeners heard: how late, and how many events of an application in a second."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []
        self.events = 0
        self.most_in_a_second = 0


def record_of(number: int, written: str = "") -> ApplicationRecord:
    """Make an application; `written` stands where its document would be refused."""
    place = AppRef(cluster=CLUSTER, namespace=f"team-{number % 50}", name=f"app-{number:05}")
    return ApplicationRecord(
        app_id=f"a-{number:020x}",
        app=place,
        uid=f"u-{number}",
        vault="primary",
        state="active",
        refused=written,
        last_version=number % 90,
    )


async def fill(bus: Bus, count: int) -> None:
    """Write applications, some at a time."""
    numbers = iter(range(count))
    bucket = bus.bucket(APPLICATIONS, ApplicationRecord)

    async def write() -> None:
        for number in numbers:
            record = record_of(number)
            await bucket.put(record.app_id, record)

    await asyncio.gather(*(write() for _ in range(WRITERS)))


async def turn_pages(url: str, pages: int, took_s: list[float]) -> None:
    """Page through the list as a person does."""
    async with aiohttp.ClientSession(headers=bearer()) as session:
        cursor = ""
        for _ in range(pages):
            began = time.monotonic()
            query = {"limit": str(PAGE), "cursor": cursor}
            async with session.get(f"{url}/applications", params=query) as answer:
                page = await answer.json()
            assert answer.status == 200, page
            assert len(page["items"]) == PAGE
            took_s.append(time.monotonic() - began)
            cursor = page["next"] or ""
            await asyncio.sleep(max(0.0, PAGE_EVERY_S - took_s[-1]))


async def paged(url: str, load: Load) -> list[float]:
    """Let all clients page; they come one after the other within the first turn."""
    took_s: list[float] = []

    async def client(number: int) -> None:
        await asyncio.sleep(number * PAGE_EVERY_S / load.clients)
        await turn_pages(url, PAGES_EACH, took_s)

    await asyncio.gather(*map(client, range(load.clients)))
    return took_s


async def listen(url: str, opened: asyncio.Semaphore, heard: Heard) -> None:
    """Hear until told to stop."""
    times: dict[bytes, list[float]] = {}
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(headers=bearer(), timeout=timeout) as session,
        session.get(f"{url}/events") as answer,
    ):
        opened.release()
        async for line in answer.content:
            if not line.startswith(b"data: "):
                continue
            heard.events += 1
            now = time.time()
            at = line.find(b'"refused":"')
            name = line[: line.find(b",")]
            if at < 0 or not line[at + 11 : at + 12].isdigit():
                continue
            heard.lags_s.append(now - float(line[at + 11 : line.find(b'"', at + 11)]))
            recent = [one for one in times.get(name, ()) if now - one < 1.0] + [now]
            times[name] = recent
            heard.most_in_a_second = max(heard.most_in_a_second, len(recent))


async def burst(bus: Bus, load: Load) -> int:
    """Write changes at a rate, each with its moment; return how many."""
    bucket = bus.bucket(APPLICATIONS, ApplicationRecord)
    began, written = time.monotonic(), 0

    async def write(first: int) -> None:
        nonlocal written
        for number in range(first, int(load.facts_per_s * BURST_S), WRITERS):
            ahead_s = number / load.facts_per_s - (time.monotonic() - began)
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            record = record_of(number % BURST_APPLICATIONS, f"{time.time():.6f}")
            await bucket.put(record.app_id, record)
            written += 1

    await asyncio.gather(*map(write, range(WRITERS)))
    return written


async def heard_burst(url: str, bus: Bus, load: Load) -> tuple[Heard, int, float]:
    """Let listeners hear a burst; return what they heard, how many changes, in how long."""
    heard, opened = Heard(), asyncio.Semaphore(0)
    listening = [asyncio.create_task(listen(url, opened, heard)) for _ in range(load.listeners)]
    for _ in range(load.listeners):
        await opened.acquire()
    began = time.monotonic()
    written = await burst(bus, load)
    took_s = time.monotonic() - began
    await asyncio.sleep(3.0)  # the last changes may take 2 s to be heard, and count, too
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return heard, written, took_s


def resident_bytes(pid: int, field: str = "VmHWM") -> int:
    """Return the most memory that a process ever had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} does not say {field}")


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which so many of a hundred are."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


async def measured(load: Load) -> list[Line]:
    """Run everything."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running_bus(Path(folder)) as server,
            connect_bus(server.access("tester"), name="bench") as bus,
        ):
            await bus.ensure_topology()
            await fill(bus, load.applications)
            gateway = GatewayProcess(server)
            await gateway.start()
            try:
                return [line async for line in _lines(gateway, bus, load)]
            finally:
                await gateway.kill()


async def _lines(gateway: GatewayProcess, bus: Bus, load: Load) -> AsyncIterator[Line]:
    assert gateway.process is not None
    pid = gateway.process.pid
    before_s = cpu_of(pid)
    took_s = await paged(gateway.url, load)
    cpu_s = cpu_of(pid) - before_s
    p50, p99 = (percentile(took_s, percent) * 1000 for percent in (50, 99))
    yield Line(
        f"a page of {PAGE} of {load.applications:,} applications, {load.clients} clients, p99",
        f"{p99:,.0f} ms",
        "500 ms",
    )
    yield Line("the same, p50", f"{p50:,.0f} ms")
    yield Line("processor time of the gateway for a page", f"{cpu_s / len(took_s) * 1000:,.1f} ms")
    heard, written, in_s = await heard_burst(gateway.url, bus, load)
    assert heard.lags_s, "nobody heard anything"
    yield Line(
        f"changes in a second that were written, of {load.facts_per_s:,} offered",
        f"{written / in_s:,.0f}",
    )
    yield Line(
        f"from a change to {load.listeners} listeners, p99",
        f"{percentile(heard.lags_s, 99):,.2f} s",
        "2 s",
    )
    yield Line("events that were heard", f"{heard.events:,}")
    yield Line(
        "of one application to one listener in a second, at most",
        str(heard.most_in_a_second),
        "2",
    )
    yield Line("memory of the gateway, at most", f"{resident_bytes(pid) / MIB:,.0f} MiB", "256 MiB")


def markdown(load: Load, lines: Sequence[Line]) -> str:
    """Write the table."""
    rows = [f"| {line.what} | {line.measured} | {line.required} |" for line in lines]
    return "\n".join(_head(load)) + "\n" + "\n".join(rows) + "\n"


def _head(load: Load) -> Iterator[str]:
    now = dt.datetime.now(dt.UTC)
    yield f"# Measured: the REST API, {load.applications:,} applications"
    yield ""
    yield (
        f"{now:%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, litestar "
        f"{version('litestar')}; gateway, message bus and all clients on the same machine. Each "
        f"client turns a page every {PAGE_EVERY_S:g} s. The burst goes round "
        f"{BURST_APPLICATIONS} applications for {BURST_S:g} s. Written by `python -m bench.rest`."
    )
    yield ""
    yield "| what | measured | may be |"
    yield "| --- | ---: | ---: |"


def main() -> None:
    """Measure, write and show the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.rest")
    parser.add_argument("--small", action="store_true", help="a tenth of everything, not written")
    small = parser.parse_args().small
    load = Load(1_000, 20, 50, 100) if small else Load()
    text = markdown(load, asyncio.run(measured(load)))
    if not small:
        RESULTS.write_text(text)
    print(text)  # noqa: T201 - what was asked for


if __name__ == "__main__":
    main()
