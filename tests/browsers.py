"""A real browser for tests of the web interface, and the interface as it is built."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from appshield.local.website_building import build, source_folder

if TYPE_CHECKING:
    from playwright.async_api import Browser

PACKAGES = ("chromium", "fonts-liberation")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)


def ensure_chromium() -> None:
    """Install Debian's Chromium where it is missing; several runs at once do it once."""
    if shutil.which("chromium"):
        return
    if os.environ.get("APPSHIELD_NO_INSTALL"):
        raise AssertionError(
            "the tests need Debian's package chromium, and APPSHIELD_NO_INSTALL forbids to "
            f"install it: run `apt-get install {' '.join(PACKAGES)}`"
        )
    with Path("/tmp/appshield-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shutil.which("chromium"):
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
            subprocess.run(install, check=True, env=quiet, capture_output=True)


def built_website() -> Path:
    """Build the web interface where it is not, and return the folder of its source."""
    folder = source_folder()
    assert folder is not None
    build(folder)
    return folder


@pytest.fixture(scope="session")
def website_source() -> Path:
    """The web interface's source, with its packages installed."""
    return built_website()


@pytest.fixture(scope="session")
def website_files(website_source: Path) -> Path:
    """The web interface as it is built."""
    return website_source / "dist"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """One browser for the session; each test has pages of its own."""
    from playwright.async_api import async_playwright

    ensure_chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(QUIET)
        )
        yield launched
        await launched.close()
