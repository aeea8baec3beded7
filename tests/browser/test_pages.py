"""Every page of the web interface, for everybody: by eye, by keyboard, read aloud, on a phone."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from appshield.contracts.applications import ApplicationRecord, Pause
from appshield.contracts.streams import APPLICATIONS
from browser_visits import MODES, SCREENSHOTS, Mode, Visit
from seeded_gateway import EVERYTHING, LOOKING, SeededGateway
from visited_pages import PAGES

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]
Window = Callable[[Mode], Awaitable[Visit]]

FIRST_LOAD_BYTES_MAX = 300_000
_COLOUR = "one => getComputedStyle(one).color"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_shuts_nobody_out(name: str, mode: Mode, window: Window) -> None:
    """It has no flaw that axe finds, no error, nothing to scroll sideways, nothing from outside."""
    seen = await window(mode)
    await seen.go(PAGES[name])
    await seen.look(f"{name}-{mode}")
    assert await seen.flaws() == []
    assert await seen.wider_than_the_screen_px() == 0
    assert seen.troubles == []


@pytest.mark.parametrize("mode", MODES)
async def test_who_is_not_signed_in_is_asked_to(mode: Mode, visit: Visiting) -> None:
    """And comes back to the page that was wanted."""
    async with visit("", mode=mode) as seen:
        await seen.go("/runs?kind=backup")
        await expect(seen.page.get_by_role("heading", level=1)).to_have_text("Sign in to AppShield")
        assert "next=" in seen.page.url
        provider = seen.page.get_by_role("link", name="Sign in with Example ID")
        start = "/api/v1/session/oidc?to=%2Fruns%3Fkind%3Dbackup"
        await expect(provider).to_have_attribute("href", start)
        await seen.look(f"login-{mode}")
        assert await seen.flaws() == []


async def test_what_one_may_not_do_says_why(visit: Visiting) -> None:
    """The button is there, can be reached by keyboard, and does nothing."""
    async with visit(LOOKING) as seen:
        await seen.go(PAGES["application"])
        button = seen.page.get_by_role("button", name="Back up now")
        await expect(button).to_have_attribute("aria-disabled", "true")
        await button.focus()
        await seen.page.keyboard.press("Enter")
        why = "You may not back up applications in namespace shop"
        await expect(seen.page.get_by_role("tooltip")).to_contain_text(why)
        assert seen.page.url.endswith(PAGES["application"])


async def test_anything_is_found_by_keyboard(visit: Visiting) -> None:
    """Ctrl-K, a few letters, Enter."""
    async with visit(EVERYTHING) as seen:
        await seen.go("/")
        await seen.page.keyboard.press("Control+k")
        await seen.page.get_by_role("combobox", name="An application, a page").fill("ledg")
        await expect(seen.page.get_by_role("option").first).to_contain_text("bank/ledger")
        await seen.look("palette-light")
        assert await seen.flaws() == []
        await seen.page.keyboard.press("Enter")
        await expect(seen.page.get_by_role("heading", level=1)).to_have_text("bank/ledger")


async def test_what_happens_shows_without_a_reload(
    visit: Visiting, seeded_gateway: SeededGateway
) -> None:
    """The stream of events tells that an application has changed."""
    records = seeded_gateway.bus.bucket(APPLICATIONS, ApplicationRecord)
    changing = [one.value async for one in records.items() if one.value.app.name == "notebook"]
    async with visit(EVERYTHING) as seen:
        await seen.go("/applications/lab/notebook")
        await expect(seen.page.get_by_text("Live", exact=True)).to_be_visible()
        await expect(seen.page.get_by_text("Paused", exact=True)).to_have_count(0)
        paused = Pause(at=datetime.now(UTC), actor="ben", reason="a look")
        await records.put(changing[0].app_id, replace(changing[0], paused=paused))
        await expect(seen.page.get_by_text("Paused", exact=True)).to_be_visible()
        await records.put(changing[0].app_id, changing[0])
        await expect(seen.page.get_by_text("Paused", exact=True)).to_have_count(0)


async def test_a_login_link_signs_in_once_and_leaves_the_address(visit: Visiting) -> None:
    """The code is exchanged for a session, wherever the link leads; a bad one says what to do."""
    async with visit("") as seen:
        await seen.page.goto(f"/#login={LOOKING}")
        await expect(seen.page.get_by_role("heading", level=1)).to_have_text("Overview")
        assert "login" not in seen.page.url
    async with visit("") as seen:
        await seen.page.goto("/#login=guessed")
        await expect(seen.page.get_by_role("alert")).to_contain_text("makes a new one")


async def test_it_speaks_the_language_of_the_browser(visit: Visiting) -> None:
    """Russian with its own forms of words, and times in the person's zone."""
    async with visit(EVERYTHING, language="ru-RU") as seen:
        await seen.go("/")
        await expect(seen.page.get_by_text("Вам видно 59 приложений")).to_be_visible()
        assert await seen.page.locator("html").get_attribute("lang") == "ru"
        when = seen.page.locator("time").first
        assert "GMT+1" in (await when.get_attribute("title") or "")


@pytest.mark.timeout(600)
async def test_long_words_fit(visit: Visiting) -> None:
    """Russian ones: no page is wider than the screen, on a phone or a desk, and no table is cut."""
    async with visit(EVERYTHING, language="ru-RU") as seen:
        assert await seen.too_wide(PAGES, "russian") == []
        assert seen.troubles == []


async def test_what_is_printed_is_made_for_paper(visit: Visiting) -> None:
    """Light, with what it is and of when at its head, and nothing to press; then as before."""
    async with visit(EVERYTHING, mode="dark") as seen:
        page = seen.page
        await seen.go("/reports")
        body = page.locator("body")
        dark = await body.evaluate(_COLOUR)
        await page.pdf(path=SCREENSHOTS / "reports-printed.pdf", prefer_css_page_size=True)
        assert await body.evaluate(_COLOUR) == dark
        await page.emulate_media(media="print")
        await page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
        assert await body.evaluate(_COLOUR) != dark
        await expect(page.get_by_text(re.compile(r"^Printed \d+ \w+ \d{4}"))).to_be_visible()
        await expect(page.get_by_text(re.compile(r"/reports$"))).to_be_visible()
        for thing in ("navigation", "button", "radiogroup"):
            await expect(page.get_by_role(thing)).to_have_count(0)
        await expect(page.get_by_role("table", name="Promises kept")).to_be_visible()


async def test_a_link_shows_what_somebody_else_saw(visit: Visiting) -> None:
    """Filters are part of the address; histories without an application are asked for."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        rows = page.get_by_role("table", name="Applications").get_by_role("row")
        await seen.go("/?health=Degraded")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(1)).to_contain_text("bank/ledger")
        await seen.go("/?q=lab")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(1)).to_contain_text("lab/notebook")
        await page.get_by_role("link", name="1 history of which only versions are left").click()
        await expect(page).to_have_url(re.compile(r"\?state=orphaned"))
        await expect(rows.nth(1)).to_contain_text("lab/experiment")
        await rows.nth(1).get_by_role("link").click()
        await expect(page).to_have_url(re.compile(r"/lab/experiment\?history=a-"))
        await expect(page.get_by_role("link", name="v14")).to_be_visible()
        await seen.go("/runs")
        find = page.get_by_label("Namespace, or namespace/name")
        await find.fill("office/mail")
        await find.press("Enter")
        await expect(page).to_have_url(re.compile(r"namespace=office&name=mail"))
        runs = page.get_by_role("table", name="All runs").get_by_role("row")
        await expect(runs).to_have_count(2)
        await seen.go("/runs?namespace=nowhere")
        await expect(find).to_have_value("nowhere")
        await page.get_by_role("button", name="Show all").click()
        await expect(find).to_have_value("")
        await expect(page).to_have_url(re.compile(r"/runs$"))


async def test_who_is_signed_out_meanwhile_comes_back_to_the_page(visit: Visiting) -> None:
    """The page says so, and leads to where one signs in."""
    async with visit(EVERYTHING) as seen:
        await seen.go("/")
        await seen.page.context.clear_cookies()
        await seen.page.get_by_role("link", name="Vaults").click()
        note = seen.page.get_by_role("region", name="You are not signed in any more")
        await expect(note).to_contain_text("you come back to this page")
        await seen.look("signed-out-light")
        assert await seen.flaws() == []
        await note.get_by_role("link", name="Sign in").click()
        await expect(seen.page).to_have_url(re.compile(r"/login\?next=%2Fvaults"))


async def test_what_is_not_there_leads_back(visit: Visiting) -> None:
    """A link to what was deleted says what is missing, and where to go on."""
    async with visit(EVERYTHING) as seen:
        for path in ("/applications/shop/gone", "/vaults/gone", "/documents/Policy/-/gone"):
            await seen.go(path)
            await expect(seen.page.get_by_role("alert")).to_contain_text("gone")
            await expect(seen.page.get_by_role("link", name="To the overview")).to_be_visible()
        await seen.look("gone-light")
        assert await seen.flaws() == []
        await seen.page.get_by_role("link", name="To the overview").click()
        await expect(seen.page.get_by_role("heading", level=1)).to_have_text("Overview")


async def test_the_first_load_is_small(visit: Visiting) -> None:
    """Everything that the overview needs, as it goes over the network."""
    async with visit(EVERYTHING) as seen:
        network = await seen.page.context.new_cdp_session(seen.page)
        await network.send("Network.enable")
        sizes: list[float] = []
        network.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
        await seen.go("/")
        assert 0 < sum(sizes) <= FIRST_LOAD_BYTES_MAX
