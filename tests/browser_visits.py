"""Looking at pages of the web interface as different people would, and what must hold for each."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page, Request, ViewportSize, expect

from public_routes import is_public

Mode = Literal["light", "dark", "phone"]
MODES: tuple[Mode, ...] = ("light", "dark", "phone")
SCREENSHOTS = Path(__file__).parent / "browser/screenshots"
TABS_MAX = 60
DEADLINE_MS = 45_000
"""For everything that is waited for: a busy machine is slow, and nothing here measures it."""
expect.set_options(timeout=DEADLINE_MS)
_DESK: ViewportSize = {"width": 1360, "height": 860}
_WIDER = """() => Math.max(
    document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ...[...document.querySelectorAll('table')].map(
        (table) => table.offsetWidth - table.parentElement.clientWidth))"""
_PHONE: ViewportSize = {"width": 360, "height": 780}


class Visit:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page, url: str, axe: str) -> None:
        self.page = page
        self.troubles: list[str] = []
        self._home = urlsplit(url).netloc
        self._axe = axe
        page.set_default_timeout(DEADLINE_MS)
        page.on("request", self._asked)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self._said(message.type, message.text))

    async def go(self, path: str) -> None:
        """Open a page of the interface, and wait until nothing on it is loading."""
        await self.page.goto(path)
        await self.page.locator("h1").first.wait_for()
        await self.page.locator("[data-loading]").first.wait_for(state="detached")

    async def look(self, name: str) -> None:
        """Write what is seen into a file for a person to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    async def flaws(self) -> list[str]:
        """Return what shuts people out (WCAG 2.2 AA, as far as axe sees it)."""
        await self.page.evaluate(self._axe)
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        options = json.dumps({"runOnly": {"type": "tag", "values": tags}})
        found = await self.page.evaluate(f"axe.run(document, {options})")
        return [
            f"{one['id']}: {node['html'][:160]}: {node['failureSummary'][:300]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    async def wider_than_the_screen_px(self) -> int:
        """Return by how much a person would have to scroll sideways, or a table is cut off."""
        return int(await self.page.evaluate(_WIDER))

    async def tab_to(self, wanted: Locator) -> None:
        """Go on by keyboard until something has the focus; fails where that does not lead there."""
        await wanted.wait_for()
        for _ in range(TABS_MAX):
            if await wanted.evaluate("one => one === document.activeElement"):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"{TABS_MAX} times Tab do not lead to {wanted}")

    async def too_wide(self, pages: Mapping[str, str], kind: str) -> list[str]:
        """Look at pages on a phone and on a desk; name those on which something is too wide."""
        found = []
        for name, path in pages.items():
            await self.go(path)
            for place, size in {"phone": _PHONE, "desk": _DESK}.items():
                await self.page.set_viewport_size(size)
                await self.look(f"{name}-{kind}-{place}")
                if await self.wider_than_the_screen_px():
                    found.append(f"{name} on a {place}")
        return found

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.netloc != self._home:
            self.troubles.append(f"a request to {request.url}")
        elif not request.is_navigation_request() and not is_public(request.method, url.path):
            self.troubles.append(f"{request.method} {url.path} is no route of the public API")

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.troubles.append(text)


@asynccontextmanager
async def visiting(
    browser: Browser,
    url: str,
    axe: str,
    *,
    caller: str,
    mode: Mode = "light",
    language: str = "en-GB",
    port: int | None = None,
) -> AsyncIterator[Visit]:
    """Visit as somebody, with nothing remembered; nobody without a name.

    `port` is the gateway's own, where another one leads to it.
    """
    context = await browser.new_context(
        base_url=url,
        viewport=_PHONE if mode == "phone" else _DESK,
        color_scheme="dark" if mode == "dark" else "light",
        reduced_motion="reduce",
        locale=language,
        timezone_id="Europe/Berlin",
    )
    try:
        if caller:
            cookie = f"appshield-session-{port or urlsplit(url).port}"
            await context.add_cookies([{"name": cookie, "value": caller, "url": url}])
        yield Visit(await context.new_page(), url, axe)
    finally:
        await context.close()
