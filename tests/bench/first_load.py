"""Measure the first load of the web interface: `python -m bench.first_load`.

The overview of 1,000 applications in Debian's Chromium, headless, with nothing remembered: from the
beginning of the navigation to the largest picture of the page, and to the list of applications with
its data. Results go to `RESULTS-WEB.md` beside this file.
"""

import asyncio
import datetime as dt
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from playwright.async_api import Browser, async_playwright

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.streams import APPLICATIONS
from bench.rest import record_of
from browsers import QUIET, built_website, ensure_chromium
from seeded_gateway import EVERYTHING, running_seeded_gateway

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS-WEB.md"
APPLICATIONS_COUNT: Final = 1_000
LOADS: Final = 15
LIMIT_MS: Final = 1_000
LIMIT_BYTES: Final = 300_000
_WATCHED: Final = """
new PerformanceObserver((list) => {
  window.largestAt = list.getEntries().at(-1).startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
new MutationObserver((_, observer) => {
  if (!document.querySelector("#applications tbody tr")) return;
  window.listedAt = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""


class Load(NamedTuple):
    """One load: milliseconds since the navigation began, and what went over the network."""

    largest_ms: float
    listed_ms: float
    size_bytes: float


async def fill(bus: Bus) -> None:
    """Write applications beside those that the seeded gateway has."""
    bucket = bus.bucket(APPLICATIONS, ApplicationRecord)
    for number in range(APPLICATIONS_COUNT):
        record = record_of(number)
        await bucket.put(record.app_id, record)


async def load(browser: Browser, url: str) -> Load:
    """Open the overview in a browser that has never seen it."""
    context = await browser.new_context(viewport={"width": 1360, "height": 860})
    try:
        cookie = f"appshield-session-{url.rpartition(':')[2]}"
        await context.add_cookies([{"name": cookie, "value": EVERYTHING, "url": url}])
        page = await context.new_page()
        await page.add_init_script(_WATCHED)
        network = await context.new_cdp_session(page)
        await network.send("Network.enable")
        sizes: list[float] = []
        network.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
        await page.goto(url)
        await page.locator("#applications tbody tr").first.wait_for()
        await page.locator("[data-loading]").first.wait_for(state="detached")
        largest_ms, listed_ms = await page.evaluate("[window.largestAt, window.listedAt]")
        return Load(largest_ms, listed_ms, sum(sizes))
    finally:
        await context.close()


async def measured() -> list[Load]:
    """Load it again and again, each time as if for the first time; the first one warms the disk."""
    website = built_website() / "dist"
    ensure_chromium()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running_seeded_gateway(website, Path(folder)) as gateway,
            async_playwright() as playwright,
        ):
            await fill(gateway.bus)
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=list(QUIET)
            )
            loads = [await load(browser, gateway.url) for _ in range(LOADS + 1)]
            await browser.close()
            return loads[1:]


def markdown(loads: Sequence[Load]) -> str:
    """Write the table."""
    return "\n".join([*_head(), *_rows(loads)]) + "\n"


def _head() -> Iterator[str]:
    now = dt.datetime.now(dt.UTC)
    yield f"# Measured: the first load of the overview, {APPLICATIONS_COUNT:,} applications"
    yield ""
    yield (
        f"{now:%Y-%m-%d %H:%M} UTC. Debian's Chromium, headless, on the machine of the gateway, "
        f"over loopback; {LOADS} loads, each with an empty cache; load of the machine at the end: "
        f"{os.getloadavg()[0]:.1f}. Times are since the navigation began. "
        "Written by `python -m bench.first_load`."
    )
    yield ""
    yield "| what | median | worst | may be |"
    yield "| --- | ---: | ---: | ---: |"


def _rows(loads: Sequence[Load]) -> Iterator[str]:
    times = {
        "largest contentful paint": [one.largest_ms for one in loads],
        "the list of applications with its data": [one.listed_ms for one in loads],
    }
    for what, values_ms in times.items():
        median, worst = statistics.median(values_ms), max(values_ms)
        yield f"| {what} | {median:,.0f} ms | {worst:,.0f} ms | {LIMIT_MS:,} ms |"
    sizes = [one.size_bytes / 1000 for one in loads]
    yield (
        f"| everything that went over the network | {statistics.median(sizes):,.0f} kB "
        f"| {max(sizes):,.0f} kB | {LIMIT_BYTES / 1000:,.0f} kB |"
    )


def main() -> None:
    """Measure, write and show the table."""
    text = markdown(asyncio.run(measured()))
    RESULTS.write_text(text)
    print(text)  # noqa: T201 - what was asked for


if __name__ == "__main__":
    main()
