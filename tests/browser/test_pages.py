"""Every page of the web interface, for everybody: by eye, by keyboard, read aloud, on a phone."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from appshield.contracts.applications import ApplicationRecord, Pause
from appshield.contracts.streams import APPLICATIONS
from browser_visits import MODES, Mode, Visit
from seeded_bus import AWAITING_APPROVAL, FAILED, RESTORED, RUNNING, WAITING
from seeded_gateway import EVERYTHING, LOOKING, SeededGateway

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]

PAGES = {
    "overview": "/",
    "application": "/applications/shop/shop",
    "application-objects": "/applications/shop/shop?tab=objects",
    "application-policies": "/applications/shop/shop?tab=policies",
    "application-events": "/applications/shop/shop?tab=events",
    "application-degraded": "/applications/bank/ledger",
    "application-paused": "/applications/office/wiki",
    "application-without-versions": "/applications/lab/notebook",
    "runs": "/runs",
    "run-running": f"/runs/{RUNNING}",
    "run-failed": f"/runs/{FAILED}",
    "run-restored": f"/runs/{RESTORED}",
    "run-awaiting-approval": f"/runs/{AWAITING_APPROVAL}",
    "run-waiting": f"/runs/{WAITING}",
    "nothing-there": "/no/such/page",
}
FIRST_LOAD_BYTES_MAX = 300_000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_shuts_nobody_out(name: str, mode: Mode, visit: Visiting) -> None:
    """It has no flaw that axe finds, no error, nothing to scroll sideways, nothing from outside."""
    async with visit(EVERYTHING, mode=mode) as seen:
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
        await seen.page.goto("/")
        await expect(seen.page.get_by_text("Вам видно 60 приложений")).to_be_visible()
        assert await seen.page.locator("html").get_attribute("lang") == "ru"
        await seen.look("overview-russian")
        when = seen.page.locator("time").first
        assert "GMT+1" in (await when.get_attribute("title") or "")


async def test_a_link_shows_what_somebody_else_saw(visit: Visiting) -> None:
    """Filters are part of the address."""
    async with visit(EVERYTHING) as seen:
        await seen.go("/?health=Degraded")
        rows = seen.page.get_by_role("table", name="Applications").get_by_role("row")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(1)).to_contain_text("bank/ledger")


async def test_the_first_load_is_small(visit: Visiting) -> None:
    """Everything that the overview needs, as it goes over the network."""
    async with visit(EVERYTHING) as seen:
        network = await seen.page.context.new_cdp_session(seen.page)
        await network.send("Network.enable")
        sizes: list[float] = []
        network.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
        await seen.go("/")
        assert 0 < sum(sizes) <= FIRST_LOAD_BYTES_MAX
