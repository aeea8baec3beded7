"""What the web interface is for, in a real browser on the real stack and the real cluster."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from appshield.kubernetes.kinds import CONFIG_MAP
from appshield.local.cluster import ClusterFacts
from browser_visits import Visit, visiting
from cluster_application import NAME, deploy, namespace_of_its_own, remove_namespace, run_in
from command_line import CommandLine
from installation import Installation
from rights import account_in, token_of

WITHIN_MS = 120_000
"""Runs take seconds; on a machine with much else to do they take longer."""


@asynccontextmanager
async def visit(browser: Browser, source: Path, url: str) -> AsyncIterator[Visit]:
    """Visit as nobody yet."""
    axe = (source / "node_modules/axe-core/axe.min.js").read_text()
    async with visiting(browser, url, axe, caller="") as seen:
        yield seen


@pytest.mark.timeout(600)
async def test_back_up_change_compare_destroy_and_restore_in_the_browser(
    installation: Installation, local_cluster: ClusterFacts, browser: Browser, website_source: Path
) -> None:
    """Logged in by the link that the command line prints; a viewer sees why they may not."""
    link = (await CommandLine(installation.home.folder)("web", "--no-browser")).out.strip()
    home = link.partition("/#")[0]
    async with (
        namespace_of_its_own(installation, "journey") as namespace,
        visit(browser, website_source, home) as seen,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        await installation.known(installation.app(namespace))
        await run_in(installation, namespace, "echo first > /data/letter")
        page, place = seen.page, f"/applications/{namespace}/{NAME}"
        await seen.go(link)
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await _back_up(seen, place)

        await run_in(installation, namespace, "echo second > /data/letter; echo more > /data/more")
        green = {"data": {"COLOR": "green"}}
        await installation.cluster.merge_patch(CONFIG_MAP, "settings", green, namespace=namespace)
        await _back_up(seen, place)
        await _compare(seen, place)

        await account_in(installation.cluster, namespace, "viewer", role="view")
        token = await token_of(installation.cluster, namespace, "viewer")
        async with visit(browser, website_source, home) as watching:
            await _is_refused(watching, f"{place}/restore?version=1", token)

        await remove_namespace(installation, namespace)
        await _restore(seen, f"{place}/versions/1", namespace)
        assert await run_in(installation, namespace, "cat /data/letter") == "first"
        assert "more" not in await run_in(installation, namespace, "ls /data")
        await seen.go(place)
        await expect(page.get_by_text("Healthy").first).to_be_visible(timeout=WITHIN_MS)
        assert await seen.flaws() == []
        await seen.look("journey-restored-light")
    assert _beside_login(seen) == []


def _beside_login(seen: Visit) -> list[str]:
    """List what went wrong, but for the question who it is, which a browser notes as an error."""
    return [trouble for trouble in seen.troubles if "401 (Unauthorized)" not in trouble]


async def _back_up(seen: Visit, place: str) -> None:
    """Ask for a version, and follow it to its end without a reload."""
    page = seen.page
    await seen.go(place)
    await page.get_by_role("button", name="Back up now").click()
    await page.wait_for_url(re.compile(r"/runs/b-"))
    await expect(page.get_by_text("Succeeded").first).to_be_visible(timeout=WITHIN_MS)
    await seen.look("journey-backup-light")


async def _compare(seen: Visit, place: str) -> None:
    """See what the second version changed, in objects and files."""
    page = seen.page
    await seen.go(f"{place}/versions/2?tab=compare&with=1")
    change = page.get_by_role("listitem").filter(has_text="configmap/settings").first
    await expect(change.locator("del")).to_have_text("blue")
    await expect(change.locator("ins").first).to_have_text("green")
    await page.get_by_text("Files", exact=True).last.click()
    for path, word in (("letter", "Changed"), ("more", "Added")):
        line = page.get_by_role("listitem").filter(has_text=f"/{path}").first
        await expect(line).to_contain_text(word)
    await seen.look("journey-compare-light")


async def _is_refused(seen: Visit, path: str, token: str) -> None:
    """Log in with a token; the wizard names the right and the role that are missing."""
    page = seen.page
    await page.goto(path)
    await page.get_by_label("A token of the cluster, or of your OpenID provider").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    note = page.get_by_role("region", name="You may look at this, but not restore it")
    await expect(note).to_contain_text("appshield-restorer")
    assert _beside_login(seen) == []


async def _restore(seen: Visit, version: str, namespace: str) -> None:
    """Bring a version back with the wizard: all of it, to where it was."""
    page = seen.page
    await seen.go(version)
    await page.get_by_role("link", name="Restore…").click()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("button", name="Next").click()
    created = page.get_by_text(re.compile(r"objects are created"))
    await expect(created.first).to_be_visible(timeout=WITHIN_MS)
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label(f"Type {NAME} to confirm").fill(NAME)
    await page.get_by_role("button", name="Restore", exact=True).click()
    await page.wait_for_url(re.compile(r"/runs/r-"))
    done = page.get_by_text(f"Version 1 is running in namespace {namespace}")
    await expect(done).to_be_visible(timeout=WITHIN_MS)
    await seen.look("journey-restore-light")
