"""A person signs in at an OpenID provider with a browser: there, back, and out again."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from appshield.doors.actions import ACTIONS
from appshield.gateway.website import Website
from appshield.rights.access import EVERYWHERE
from browser_visits import Visit, visiting
from openid_gateway import authenticating_at
from openid_provider import Key, OpenIdProvider, openid_provider
from rest_api import rest_api
from seeded_gateway import SeededGateway, serving

LOOKING = frozenset((one.verb, one.resource, EVERYWHERE) for one in ACTIONS if one.role == "viewer")
PAGE = "/applications/shop/shop"


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with openid_provider() as running:
        yield running


@pytest.fixture
async def visit(
    provider: OpenIdProvider, seeded_gateway: SeededGateway, website_files: Path, browser: Browser
) -> AsyncIterator[Visit]:
    """Be nobody yet, at a gateway that takes whom the provider sends: ann, who may only look.

    Each time that it looks at its clock, a minute has gone: it may ask for keys again.
    """
    bus = seeded_gateway.bus
    minutes = count(step=60).__next__
    recognizing = authenticating_at(provider, bus, now_s=minutes)
    application = rest_api(bus, {"oidc:ann": LOOKING}, recognizing)
    async with (
        serving(Website(application, website_files)) as url,
        visiting(browser, url, axe="", caller="") as visit,
    ):
        yield visit


async def sign_in(visit: Visit) -> None:
    """Press the button that leads to the provider, and come back."""
    button = visit.page.get_by_role("link", name="Sign in with Example")
    await button.click()


async def test_a_person_comes_back_as_who_they_are(provider: OpenIdProvider, visit: Visit) -> None:
    """On the page that was wanted, with their rights; and again after the keys were changed."""
    page = visit.page
    await visit.go(PAGE)
    for key in ("first", "second"):
        provider.keys = [Key(key)]
        await sign_in(visit)
        await page.wait_for_url(f"**{PAGE}*")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("shop")
        button = page.get_by_role("button", name="Back up now")
        await expect(button).to_have_attribute("aria-disabled", "true")
        await page.get_by_role("button", name="Preferences").click()
        await expect(page.get_by_text("Signed in as oidc:ann")).to_be_visible()
        await page.get_by_role("menuitem", name="Sign out").click()
        await page.wait_for_url("**/login*")
        await visit.go(PAGE)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to AppShield")


async def test_whom_the_provider_denies_sees_why(provider: OpenIdProvider, visit: Visit) -> None:
    """And may try again at once."""
    await visit.go(PAGE)
    provider.denies = "access_denied"
    await sign_in(visit)
    await expect(visit.page.get_by_text("The provider did not let you in")).to_be_visible()
    provider.denies = ""
    await sign_in(visit)
    await visit.page.get_by_role("button", name="Preferences").wait_for()
