"""Versions, restores, documents, Vaults and reports, as people use them."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from appshield.contracts.restores import RestorePlanned
from appshield.contracts.runs import RestoreProgress, Run, RunState, Trigger
from appshield.contracts.sources import VolumeChanges, VolumeTarget
from appshield.contracts.streams import RUNS
from appshield.kubernetes.kinds import APPLICATION
from browser_visits import MODES, Mode, Visit
from seeded_gateway import EVERYTHING, LOOKING, SeededGateway
from seeded_versions import APP, APP_ID, HOSTILE, policy
from visited_pages import FURTHER_PAGES, RESTORE, VERSION

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]
Window = Callable[[Mode], Awaitable[Visit]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FURTHER_PAGES)
async def test_a_page_shuts_nobody_out(name: str, mode: Mode, window: Window) -> None:
    """It has no flaw that axe finds, no error, nothing to scroll sideways, nothing from outside."""
    path, content = FURTHER_PAGES[name]
    seen = await window(mode)
    await seen.go(path)
    await expect(seen.page.get_by_text(content).first).to_be_visible()
    await seen.look(f"{name}-{mode}")
    assert await seen.flaws() == []
    assert await seen.wider_than_the_screen_px() == 0
    assert seen.troubles == []


@pytest.mark.timeout(600)
async def test_long_words_fit(visit: Visiting) -> None:
    """Russian ones: no page is wider than the screen, on a phone or a desk, and no table is cut."""
    async with visit(EVERYTHING, language="ru-RU") as seen:
        paths = {name: path for name, (path, _) in FURTHER_PAGES.items()}
        assert await seen.too_wide(paths, "russian") == []
        assert seen.troubles == []


async def test_what_nothing_protects_is_one_click_from_a_document_that_would(
    visit: Visiting, seeded_gateway: SeededGateway
) -> None:
    """Proposed, checked and saved: then it is in the cluster, and protected."""
    try:
        async with visit(EVERYTHING) as seen:
            page = seen.page
            await seen.go("/")
            await page.get_by_role("link", name="Protect metrics/prometheus").click()
            await expect(page).to_have_url(re.compile(r"/documents/Application/new\?namespace="))
            save = page.get_by_role("button", name="Save")
            await expect(save).not_to_have_attribute("aria-disabled", "true")
            await save.click()
            await expect(page).to_have_url(re.compile(r"/documents/Application/metrics/metrics$"))
            await page.get_by_role("link", name="Overview").click()
            await expect(page.get_by_role("link", name="Protect legacy/mariadb")).to_be_visible()
            await expect(page.get_by_role("link", name="Protect metrics/")).to_have_count(0)
            assert seen.troubles == []
    finally:
        seeded_gateway.cluster.remove(APPLICATION, "metrics", "metrics")


async def test_hostile_names_are_shown_and_do_nothing(visit: Visiting) -> None:
    """What hides or turns text is written out; a file comes under a safe name, byte for byte."""
    async with visit(EVERYTHING) as seen:
        await seen.go(f"{VERSION}?tab=files&path=volumes%2Fdata%2Fhostile")
        table = seen.page.get_by_role("table", name="Files")
        for shown in (
            "<img src=x onerror=alert(1)>",
            "..%2f..%2fetc%2fpasswd",
            "\\u{202e}gpj.exe",
            "a\\u{a}b\\u{1b}[31mred",
        ):
            await expect(table.get_by_text(shown, exact=True).first).to_be_visible()
        assert await seen.page.locator("img").count() == 0
        links = table.get_by_role("link", name=re.compile("^Download"))
        await expect(links).to_have_count(len(HOSTILE))
        taken = set()
        for at in range(len(HOSTILE)):
            async with seen.page.expect_download() as downloading:
                await links.nth(at).click()
            download = await downloading.value
            assert not re.search(r"[/\\\x00-\x1f\u202e]", download.suggested_filename)
            taken.add((await download.path()).read_bytes())
        assert taken == set(HOSTILE)
        assert seen.troubles == []


async def test_a_comparison_shows_what_changed_and_no_secret(visit: Visiting) -> None:
    """Objects field by field, files by name; the address leads others to the same."""
    async with visit(EVERYTHING) as seen:
        await seen.go(f"{VERSION}?tab=compare&with=1")
        change = seen.page.get_by_role("listitem").filter(has_text="configmap/settings").first
        await expect(change).to_contain_text("/data/lamp")
        await expect(change.locator("del")).to_have_text("off")
        await expect(change.locator("ins").first).to_have_text("on")
        secret = seen.page.get_by_role("listitem").filter(has_text="secret/password").first
        await expect(secret).to_contain_text("digest")
        await expect(seen.page.get_by_text("service/web", exact=True)).to_be_visible()
        await expect(seen.page.get_by_text("service", exact=True)).to_have_count(0)
        text = await seen.page.locator("main").inner_text()
        assert "correct horse" not in text
        assert "battery staple" not in text
        await seen.page.get_by_text("Files", exact=True).last.click()
        await expect(seen.page).to_have_url(re.compile("what=files"))
        for path, word in (("new.txt", "Added"), ("old.txt", "Removed"), ("today.txt", "Changed")):
            line = seen.page.get_by_role("listitem").filter(has_text=f"volumes/data/{path}").first
            await expect(line).to_contain_text(word)


async def test_where_everything_is_protected_a_document_is_begun_all_the_same(
    visit: Visiting,
) -> None:
    """Nothing can be proposed then; the page says so, and the editor is there."""
    async with visit(EVERYTHING) as seen:
        await seen.go("/documents/Application/new?namespace=shop")
        note = seen.page.get_by_role("region", name="Everything in shop is protected already")
        await expect(note).to_contain_text("nothing is proposed")
        editor = seen.page.get_by_role("textbox", name="Application, as YAML")
        await expect(editor).to_contain_text("namespace: shop")
        assert await seen.flaws() == []


async def test_who_may_not_restore_sees_which_right_is_missing(visit: Visiting) -> None:
    """Before anything is chosen; and nothing is asked for."""
    async with visit(LOOKING) as seen:
        await seen.go(f"{RESTORE}&step=check")
        note = seen.page.get_by_role("region", name="You may look at this, but not restore it")
        await expect(note).to_contain_text("read what versions hold in namespace diary")
        await expect(note).to_contain_text("appshield-restorer")
        await seen.look("restore-refused-light")
        assert await seen.flaws() == []
        again = seen.page.get_by_role("button", name="Run it again")
        await expect(again).to_have_attribute("aria-disabled", "true")
        assert "check=" not in seen.page.url


async def test_a_restore_is_chosen_checked_confirmed_and_followed(
    visit: Visiting, seeded_gateway: SeededGateway
) -> None:
    """Step by step, by keyboard alone; what a planner answers, this test answers."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        await seen.go(VERSION)
        await seen.tab_to(page.get_by_role("link", name="Restore…"))
        await page.keyboard.press("Enter")
        await seen.tab_to(page.get_by_label("Touch nothing that is there"))
        await page.keyboard.press("ArrowDown")
        await seen.tab_to(page.get_by_label("Delete files that the version does not hold"))
        await page.keyboard.press("Space")
        await seen.tab_to(page.get_by_role("button", name="Next"))
        await page.keyboard.press("Enter")
        await expect(page.locator("[aria-current=step]")).to_be_focused()
        await seen.tab_to(page.get_by_label("Everything"))
        await page.keyboard.press("ArrowDown")
        await seen.tab_to(page.get_by_label("volumes/data"))
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"check=r-[0-9a-f]+"))
        assert "existing=1" in page.url
        await _answer(seeded_gateway, _run_in(page, "check="), dry_run=True)
        await expect(page.get_by_text("1 file is deleted")).to_be_visible()
        await expect(page.get_by_text("extra.txt")).to_be_visible()
        await seen.look("restore-check-light")
        assert await seen.flaws() == []
        await seen.tab_to(page.get_by_role("button", name="Next"))
        await page.keyboard.press("Enter")
        begin = page.get_by_role("button", name="Restore", exact=True)
        await expect(begin).to_have_attribute("aria-disabled", "true")
        await seen.tab_to(page.get_by_label("Type diary to confirm"))
        await page.keyboard.type("diary")
        await seen.look("restore-confirm-light")
        assert await seen.flaws() == []
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"/runs/r-"))
        await _answer(seeded_gateway, _run_in(page, "/runs/"), dry_run=False)
        done = page.get_by_text("Version 2 is running in namespace diary")
        await expect(done).to_be_visible()
        await expect(page.get_by_text("1m 34s").first).to_be_visible()
        await seen.look("restore-done-light")


async def test_the_editor_shows_an_error_at_its_line_and_whom_a_policy_matches(
    visit: Visiting,
) -> None:
    """While one types; it completes what the schema knows, and saves nothing that is wrong."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        await seen.go("/documents/Policy/-/gold")
        editor = page.get_by_role("textbox", name="Policy, as YAML")
        await editor.click()
        await page.get_by_text("30 2 * * *").click()
        await page.keyboard.press("End")
        await page.keyboard.type(" 99")
        finding = page.get_by_role("listitem").filter(has_text="line 10").first
        await expect(finding).to_contain_text("schedule")
        await expect(page.locator(".cm-lint-marker-error")).to_be_visible()
        await expect(page.get_by_role("button", name="Save")).to_have_attribute(
            "aria-disabled", "true"
        )
        await seen.look("policy-error-light")
        assert await seen.flaws() == []
        await page.keyboard.press("Control+s")
        for _ in " 99":
            await page.keyboard.press("Backspace")
        await expect(page.get_by_text("Nothing is wrong with it")).to_be_visible()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Control+Space")
        await expect(page.get_by_role("option", name=re.compile("^change"))).to_be_visible()
        await seen.look("policy-completion-light")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Control+z")
        await seen.tab_to(page.get_by_role("tab", name="Findings"))
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_text("matches 2")).to_be_visible()
        await expect(page).to_have_url(re.compile(r"\?tab=preview$"))
        await seen.look("policy-preview-light")
        assert await seen.flaws() == []
        await page.get_by_role("tab", name="Revisions").click()
        await page.get_by_role("button", name="What changed").click()
        await expect(page.get_by_text("30 2 * * *").last).to_be_visible()
        await expect(page.get_by_text(re.compile(r"^-.*0 4 \* \* \*"))).to_be_visible()
        await seen.look("policy-revisions-light")
        assert await seen.flaws() == []


async def test_what_somebody_changed_meanwhile_is_not_overwritten(
    visit: Visiting, seeded_gateway: SeededGateway
) -> None:
    """The difference is shown, and the person decides."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        await seen.go("/documents/Policy/-/gold")
        await page.get_by_text("daily").click()
        await page.keyboard.press("End")
        await page.keyboard.type("0")
        seeded_gateway.cluster.put(policy(schedule="0 5 * * *"))
        save = page.get_by_role("button", name="Save")
        await expect(save).not_to_have_attribute("aria-disabled", "true")
        await page.keyboard.press("Control+s")
        await expect(page.get_by_text("Somebody has changed it meanwhile").first).to_be_visible()
        await expect(page.get_by_text("-        schedule: 0 5 * * *")).to_be_visible()
        await seen.look("policy-conflict-light")
        assert await seen.flaws() == []
        await page.get_by_role("button", name="Take theirs").click()
        editor = page.get_by_role("textbox", name="Policy, as YAML")
        await expect(editor).to_contain_text("0 5 * * *")
    seeded_gateway.cluster.put(policy())


def _run_in(page: Page, before: str) -> str:
    return re.split(r"[&?#]", page.url.partition(before)[2])[0]


async def _answer(gateway: SeededGateway, run: str, *, dry_run: bool) -> None:
    """Do what the planner does with a restore that was asked for."""
    ended = datetime.now(UTC)
    state: RunState = "succeeded"
    planned = RestorePlanned(
        app=APP,
        run=run,
        step="plan",
        attempt=1,
        objects=("ConfigMap diary/settings", "Deployment.apps diary/web"),
        present=("ConfigMap diary/settings",),
        volumes=(
            VolumeTarget(
                source="volumes/data", claim="data", namespace="diary", present=True, size_bytes=10
            ),
        ),
    )
    changes = VolumeChanges(
        source="volumes/data",
        overwritten=("today.txt",),
        overwritten_total=1,
        deleted=("extra.txt",),
        deleted_total=1,
        created_total=3,
    )
    restore = RestoreProgress(
        version=2,
        snapshot_id="s",
        target_namespace="diary",
        existing=True,
        delete_extra=True,
        dry_run=dry_run,
        planned=planned,
        changes=(changes,),
    )
    known = Run(
        id=run,
        kind="restore",
        app=APP,
        app_id=APP_ID,
        vault="primary",
        trigger=Trigger(kind="manual", identity=f"request/{run}", actor="ann"),
        state=state,
        epoch=1,
        version=2,
        requested_at=ended - timedelta(seconds=95),
        started_at=ended - timedelta(seconds=94),
        finished_at=ended,
        restore=restore,
    )
    await gateway.bus.bucket(RUNS, Run).put(run, known)
