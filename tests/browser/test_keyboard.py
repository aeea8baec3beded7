"""The web interface without a mouse: everything can be reached, seen and left by keyboard."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from playwright.async_api import expect

from appshield.kubernetes.kinds import POLICY
from browser_visits import Visit
from seeded_gateway import EVERYTHING, SeededGateway

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]

STOPS = 45
_STOP = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect();
    const head = document.querySelector('header').getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height, 40) / 2];
    const above = document.elementFromPoint(x, y);
    return {
        lost: one === document.body,
        hidden: box.bottom > 0 && one.closest('header, [href="#content"]') === null
            && box.bottom <= head.bottom,
        covered: one !== document.body && one.closest('header') === null
            && above?.closest('header') != null,
        name: one.outerHTML.slice(0, 160),
    };
}"""
_GUTTER = """() => {
    const tops = (kind) => [...document.querySelectorAll(kind)]
        .filter((one) => one.getBoundingClientRect().height > 0)
        .map((one) => Math.round(one.getBoundingClientRect().top));
    const [lines, numbers] = [tops('.cm-line'), tops('.cm-lineNumbers .cm-gutterElement')];
    return lines.length > 5 && lines.every((top, at) => Math.abs(top - numbers[at]) <= 1);
}"""


@pytest.mark.parametrize("path", ["/", "/applications/shop/shop?tab=objects", "/runs"])
async def test_the_focus_is_always_somewhere_and_never_covered(path: str, visit: Visiting) -> None:
    """Forwards and back again, the head of the page hides nothing that has the focus."""
    async with visit(EVERYTHING) as seen:
        await seen.go(path)
        wrong = []
        for key in ("Tab", "Shift+Tab"):
            lost = 0
            for _ in range(STOPS):
                await seen.page.keyboard.press(key)
                stop = await seen.page.evaluate(_STOP)
                lost += stop["lost"]
                # Behind the last stop the browser has the focus once, then comes the first one.
                if stop["hidden"] or stop["covered"] or lost > 1:
                    wrong.append(f"{key}: {stop}")
        assert wrong == [], "\n".join(wrong)


async def test_who_skips_the_menu_is_at_the_content(visit: Visiting) -> None:
    """The first stop of all leads there, and is seen when it has the focus."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        await seen.go("/runs")
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        inside = "document.querySelector('main').contains(document.activeElement)"
        assert await page.evaluate(inside)


async def test_what_was_opened_gives_the_focus_back(visit: Visiting) -> None:
    """Escape closes the search and a question; one is where one was."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        await seen.go("/applications/shop/shop")
        dialog = page.get_by_role("dialog")
        for name in ("Search or go to", "Pause"):
            opener = page.get_by_role("button", name=name)
            await seen.tab_to(opener)
            await page.keyboard.press("Enter")
            await expect(dialog).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(dialog).to_have_count(0)
            await expect(opener).to_be_focused()


async def test_an_object_of_the_graph_is_chosen_by_keyboard(visit: Visiting) -> None:
    """Each has a name, and says why it belongs to the application."""
    async with visit(EVERYTHING) as seen:
        page = seen.page
        await seen.go("/applications/shop/shop?tab=objects")
        node = page.get_by_role("button", name="StatefulSet db")
        await seen.tab_to(node)
        await page.keyboard.press("Space")
        await expect(node).to_have_attribute("aria-pressed", "true")
        why = page.get_by_role("status").filter(has_text="StatefulSet db")
        await expect(why).to_contain_text("workload of component db")


async def test_a_policy_is_written_by_keyboard_alone(
    visit: Visiting, seeded_gateway: SeededGateway
) -> None:
    """From the overview to a policy that is saved: the editor completes, and lets one go on."""
    try:
        async with visit(EVERYTHING) as seen:
            page = seen.page
            await seen.go("/")
            await seen.tab_to(page.get_by_role("link", name="Policies"))
            await page.keyboard.press("Enter")
            await seen.tab_to(page.get_by_role("link", name="New policy").first)
            await page.keyboard.press("Enter")
            editor = page.get_by_role("textbox", name="Policy, as YAML")
            await seen.tab_to(editor)
            assert await page.evaluate(_GUTTER)
            await page.keyboard.press("Control+Home")
            for _ in range(3):
                await page.keyboard.press("ArrowDown")
            await page.keyboard.press("End")
            await page.keyboard.type("-by-hand\ncol")
            await expect(page.get_by_text(re.compile(r"^Findings \([1-9]"))).to_be_visible()
            await page.keyboard.press("Control+Space")
            await page.keyboard.press("Escape")
            await expect(editor).to_be_focused()
            for _ in ("c", "o", "l", "the indent", "the line"):
                await page.keyboard.press("Backspace")
            await page.keyboard.press("Tab")
            await expect(editor).not_to_be_focused()
            await page.keyboard.press("Shift+Tab")
            await expect(editor).to_be_focused()
            save = page.get_by_role("button", name="Save")
            await expect(save).not_to_have_attribute("aria-disabled", "true")
            await page.keyboard.press("Control+s")
            await expect(page).to_have_url(re.compile(r"/documents/Policy/-/nightly-by-hand$"))
            await expect(page.get_by_text("Saved")).to_be_visible()
            assert seen.troubles == []
    finally:
        seeded_gateway.cluster.remove(POLICY, "nightly-by-hand")
