"""Fixtures of the browser tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.vault import VaultAccess, new_root_key, open_vault
from browser_visits import Mode, Visit, visiting
from seeded_gateway import EVERYTHING, SeededGateway, running_seeded_gateway
from seeded_versions import seed_documents, seed_versions


@pytest.fixture(scope="session")
async def seeded_gateway(
    website_files: Path,
    tmp_path_factory: pytest.TempPathFactory,
    s3_server: EmbeddedObjectStore,
) -> AsyncIterator[SeededGateway]:
    """One gateway with a team's applications for the session, and a Vault with versions."""
    location = s3_server.location(prefix="web-interface/")
    access = VaultAccess("primary", location, s3_server.credentials, new_root_key())
    open_vault(access).initialize()

    async def vaults(_name: str) -> VaultAccess:
        return access

    folder = tmp_path_factory.mktemp("web-bus")
    async with running_seeded_gateway(website_files, folder, vaults) as gateway:
        await seed_versions(gateway.bus, access)
        seed_documents(gateway.cluster)
        yield gateway


@pytest.fixture(scope="session")
def website_axe(website_source: Path) -> str:
    """What finds flaws on a page, as a script."""
    return (website_source / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture
def visit(
    browser: Browser, seeded_gateway: SeededGateway, website_axe: str
) -> Callable[..., AbstractAsyncContextManager[Visit]]:
    """Visit the gateway as somebody, `at` another address that leads to it."""
    return partial(_visit, browser, seeded_gateway.url, website_axe)


@pytest.fixture(scope="session")
async def window(
    browser: Browser, seeded_gateway: SeededGateway, website_axe: str
) -> AsyncIterator[Callable[[Mode], Awaitable[Visit]]]:
    """Look at page after page in one window for each mode: what it has loaded it keeps."""
    opened: dict[Mode, Visit] = {}
    async with AsyncExitStack() as windows:

        async def in_mode(mode: Mode) -> Visit:
            if mode not in opened:
                opened[mode] = await windows.enter_async_context(
                    visiting(browser, seeded_gateway.url, website_axe, caller=EVERYTHING, mode=mode)
                )
            opened[mode].troubles.clear()
            return opened[mode]

        yield in_mode


def _visit(
    browser: Browser, url: str, axe: str, caller: str, *, at: str = "", **wanted: Any
) -> AbstractAsyncContextManager[Visit]:
    port = urlsplit(url).port
    return visiting(browser, at or url, axe, caller=caller, port=port, **wanted)
