"""What is large opens like what is small: 10,000 applications, 5,000 objects, 100,000 files.

How long that takes is measured by `python -m bench.first_load`; here stands why it is quick: of
what is long a part is asked for and shown, and the rest is found by words.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from appshield.local.embedded.object_store import EmbeddedObjectStore
from browser_visits import Visit, visiting
from large_things import APPLICATIONS, FILES, LARGE_APP, OBJECTS, running_large_gateway
from seeded_gateway import EVERYTHING, SeededGateway

pytestmark = pytest.mark.timeout(600)
NODES_MAX = 6_000
"""A page has no more elements than these, however much there is: browsers stay quick then."""
ANSWER_BYTES_MAX = 2_000_000
_NODES = "document.getElementsByTagName('*').length"


@pytest.fixture(scope="module")
async def large(
    website_files: Path,
    tmp_path_factory: pytest.TempPathFactory,
    s3_server: EmbeddedObjectStore,
) -> AsyncIterator[SeededGateway]:
    """One gateway with more of everything than fits on a screen."""
    folder = tmp_path_factory.mktemp("large-bus")
    location = s3_server.location(prefix="large/")
    async with running_large_gateway(
        website_files, folder, location, s3_server.credentials
    ) as gateway:
        yield gateway


@pytest.fixture
async def seen(browser: Browser, large: SeededGateway, website_axe: str) -> AsyncIterator[Visit]:
    """Look at it as somebody who may do everything."""
    async with visiting(browser, large.url, website_axe, caller=EVERYTHING) as visit:
        yield visit


async def is_bounded(seen: Visit) -> None:
    """See that the page is no larger than browsers like, has no flaw, and asked for little."""
    assert await seen.page.evaluate(_NODES) <= NODES_MAX
    assert await seen.flaws() == []
    assert seen.troubles == []


async def test_ten_thousand_applications_are_a_page_and_a_search(seen: Visit) -> None:
    """All are counted; one that is far behind is found by its name."""
    page = seen.page
    answers = await answers_of(page)
    await seen.go("/")
    rows = page.get_by_role("table", name="Applications").get_by_role("row")
    await expect(rows).to_have_count(51)
    await expect(page.get_by_text(re.compile(r"10,\d{3} applications"))).to_be_visible()
    assert APPLICATIONS == 10_000
    await page.get_by_role("button", name="Show more").last.click()
    await expect(rows).to_have_count(101)
    await is_bounded(seen)
    await page.get_by_label("Name or namespace").fill("app-09876")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(1)).to_contain_text("app-09876")
    assert max(answers) <= ANSWER_BYTES_MAX


async def test_five_thousand_objects_are_a_picture_of_boxes_and_a_list(seen: Visit) -> None:
    """Those that are alike are one box, which says how many they are and leads to each."""
    page = seen.page
    await seen.go(f"/applications/{LARGE_APP}?tab=objects&view=graph")
    await expect(page.get_by_text(re.compile("are too many for a picture"))).to_be_visible()
    box = page.get_by_role("button", name=re.compile(r"ConfigMap × [\d,]+"))
    await box.first.click()
    await seen.look("graph-large-light")
    await is_bounded(seen)
    await page.get_by_role("button", name="All ConfigMap in the list").click()
    rows = page.get_by_role("table", name="Objects").get_by_role("row")
    await expect(rows).to_have_count(101)
    await expect(page).to_have_url(re.compile("q=ConfigMap"))
    await page.get_by_label("Kind, name or component").fill(f"settings-{OBJECTS - 100:05}")
    await expect(rows).to_have_count(2)
    await is_bounded(seen)


async def test_a_list_is_what_so_many_objects_are_shown_as_first(seen: Visit) -> None:
    """The picture is asked for."""
    await seen.go(f"/applications/{LARGE_APP}?tab=objects")
    await expect(seen.page.get_by_role("table", name="Objects")).to_be_visible()
    await is_bounded(seen)
    await seen.look("objects-large-light")


async def test_a_folder_of_a_hundred_thousand_files_is_a_page_and_a_search(seen: Visit) -> None:
    """One far behind is found by a part of its name, also where few are like it."""
    page = seen.page
    answers = await answers_of(page)
    await seen.go(f"/applications/{LARGE_APP}/versions/1?tab=files&path=volumes%2Fdata%2Fmany")
    rows = page.get_by_role("table", name="Files").get_by_role("row")
    await expect(rows).to_have_count(51)
    await page.get_by_role("button", name="Show more").click()
    await expect(rows).to_have_count(101)
    await is_bounded(seen)
    await page.get_by_label("Name, or like *.conf").fill(f"file-{FILES - 1:06}")
    found = page.get_by_role("table", name="Files").get_by_text(f"file-{FILES - 1:06}")
    await expect(found.first).to_be_visible()
    await seen.look("files-large-light")
    assert max(answers) <= ANSWER_BYTES_MAX


async def answers_of(page: Page) -> list[float]:
    """Note from now on how much each answer brings."""
    network = await page.context.new_cdp_session(page)
    await network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    return sizes
