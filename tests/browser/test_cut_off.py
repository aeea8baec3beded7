"""The web interface while AppShield is gone, the network is cut, or the session has ended.

Nothing of a page goes away for that. It says what to do next, and goes on without a reload.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from browser_visits import Visit
from seeded_gateway import EVERYTHING, SeededGateway
from tcp_proxy import TcpProxy
from visited_pages import FURTHER_PAGES, PAGES

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]

ALL = [*PAGES.values(), *(path for path, _ in FURTHER_PAGES.values())]
NOBODY = "AppShield does not answer"
LOST = "AppShield does not answer at the moment"
ENDED = "You are not signed in any more"
_UNLOADED = "window.stayed"


@pytest.fixture
async def line(seeded_gateway: SeededGateway) -> AsyncIterator[TcpProxy]:
    """What lies between the browser and the gateway, and can be cut."""
    port = urlsplit(seeded_gateway.url).port
    assert port is not None
    async with TcpProxy("127.0.0.1", port) as proxy:
        yield proxy


def address(line: TcpProxy) -> str:
    """Return where the gateway is for the browser."""
    return f"http://127.0.0.1:{line.port}"


def cut(line: TcpProxy) -> None:
    """Let nothing through any more."""
    line.refusing = True
    line.cut()


async def visit_within(page: Page, path: str) -> None:
    """Go to a page of the interface as its links do, without loading it anew."""
    await page.evaluate("path => { history.pushState({}, '', path); }", path)


async def is_live(page: Page) -> None:
    """Wait until the page follows the stream of events."""
    await expect(page.get_by_role("banner").get_by_text("Live", exact=True)).to_be_visible()


@pytest.mark.timeout(300)
async def test_every_page_says_that_nobody_answers_and_comes_back_by_itself(
    visit: Visiting, line: TcpProxy
) -> None:
    """Whatever of it was loaded before: its parts, its data, or nothing."""
    async with visit(EVERYTHING, at=address(line)) as seen:
        page = seen.page
        await seen.go("/")
        await is_live(page)
        await page.evaluate(f"{_UNLOADED} = true")
        cut(line)
        note = page.get_by_role("region", name=LOST)
        await expect(note).to_contain_text("tried again by itself")
        await expect(page.get_by_role("table", name="Applications")).to_be_visible()
        await seen.look("gone-with-data-light")
        assert await seen.flaws() == []
        silent = []
        alert = page.get_by_role("alert").filter(has_text=NOBODY).first
        for path in ALL:
            await visit_within(page, path)
            await expect(page).to_have_url(
                re.compile(re.escape(path.partition("?")[0]) + r"(\?|$)")
            )
            if path not in {"/", "/no/such/page"}:
                await expect(alert.get_by_role("button", name="Try again")).to_be_visible()
            if not await page.locator("h1").count():
                silent.append(path)
        assert silent == []
        await seen.look("gone-light")
        assert await seen.flaws() == []
        await visit_within(page, "/vaults")
        await expect(alert).to_be_visible()
        line.refusing = False
        await expect(page.get_by_role("link", name="primary")).to_be_visible()
        await expect(note).to_have_count(0)
        await expect(page.get_by_role("alert")).to_have_count(0)
        await visit_within(page, "/applications/shop/shop?tab=events")
        await expect(page.get_by_role("heading", level=1)).to_have_text("shop/shop")
        assert await page.evaluate(_UNLOADED), "the page was loaded anew"


async def test_what_happens_after_an_interruption_shows_as_before(
    visit: Visiting, line: TcpProxy
) -> None:
    """A command that was lost says so, with what to do; afterwards it is taken."""
    async with visit(EVERYTHING, at=address(line)) as seen:
        page = seen.page
        await seen.go("/applications/shop/shop")
        await is_live(page)
        cut(line)
        await expect(page.get_by_role("region", name=LOST)).to_be_visible()
        await page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("textbox").fill("a look")
        await dialog.get_by_role("button", name="Pause").click()
        said = page.get_by_role("alert").filter(has_text=NOBODY)
        await expect(said.first).to_contain_text("appshield up")
        line.refusing = False
        await is_live(page)
        await expect(page.get_by_role("region", name=LOST)).to_have_count(0)


async def test_a_machine_without_a_network_is_told_so(visit: Visiting) -> None:
    """Not kept waiting: the browser knows, and what is asked for meanwhile comes afterwards."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        await seen.go("/")
        await is_live(page)
        await page.context.set_offline(True)
        await visit_within(page, "/vaults")
        await expect(page.get_by_role("alert").filter(has_text=NOBODY)).to_be_visible()
        await page.context.set_offline(False)
        await expect(page.get_by_role("link", name="primary")).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)


async def test_who_is_signed_out_in_mid_work_loses_nothing(visit: Visiting, line: TcpProxy) -> None:
    """What was typed stays; signed in in another tab, one goes on in this one."""
    async with visit(EVERYTHING, at=address(line)) as seen:
        page = seen.page
        await seen.go("/documents/Policy/-/gold")
        editor = page.get_by_role("textbox", name="Policy, as YAML")
        await page.get_by_text("daily").click()
        await page.keyboard.press("End")
        await page.keyboard.type("7")
        await expect(page.get_by_text("Nothing is wrong with it")).to_be_visible()
        await page.context.clear_cookies()
        await page.get_by_role("button", name="Dry run").click()
        note = page.get_by_role("region", name=ENDED)
        await expect(note).to_contain_text("what you have typed stays")
        await expect(editor).to_contain_text("daily: 307")
        await seen.look("signed-out-editing-light")
        assert await seen.flaws() == []
        async with page.context.expect_page() as opened:
            await note.get_by_role("link", name="In another tab").click()
        other = await opened.value
        await expect(other.get_by_role("heading", level=1)).to_have_text("Sign in to AppShield")
        await other.goto(f"{address(line)}/#login={EVERYTHING}")
        await expect(other.get_by_role("heading", level=1)).to_have_text("Overview")
        await other.close()
        await page.bring_to_front()
        await page.evaluate("window.dispatchEvent(new Event('focus'))")
        await expect(note).to_have_count(0)
        await is_live(page)
        await page.get_by_role("button", name="Dry run").click()
        await expect(page.get_by_text("The cluster would accept it")).to_be_visible()
        await expect(editor).to_contain_text("daily: 307")
