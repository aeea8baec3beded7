"""The web interface's source keeps the rules of its own tools."""

import re
import subprocess
from pathlib import Path

import pytest

from appshield.local.website_building import npm_of_machine
from public_routes import is_public

CLIENT = Path("src/api/client.ts")
_ASKING = re.compile(
    r"\b(fetch\(|XMLHttpRequest|EventSource\b|WebSocket|sendBeacon|importScripts)|[\"'`]/api/"
)


@pytest.mark.timeout(600)
def test_the_source_is_formatted_typed_and_tested(website_source: Path) -> None:
    """Its types are those of the API's description as it is now, so a drift does not compile."""
    npm, environment = npm_of_machine()
    done = subprocess.run(
        [*npm, "run", "--silent", "check"],
        cwd=website_source,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_every_request_is_made_in_one_place(website_source: Path) -> None:
    """Only the client knows how to ask, and where the API is; what it asks is seen on each page."""
    source = website_source / "src"
    asking = {
        path.relative_to(website_source)
        for path in source.rglob("*.ts*")
        if not path.name.endswith((".test.ts", ".d.ts")) and _ASKING.search(path.read_text())
    }
    assert asking == {CLIENT}


def test_a_request_that_is_not_documented_is_none_of_the_api() -> None:
    """What the visits of the pages look for is told from routes and files by this."""
    assert is_public("GET", "/api/v1/applications/shop/web/versions/3/files")
    assert is_public("DELETE", "/api/v1/session")
    assert is_public("GET", "/assets/index-Bx3.js")
    assert not is_public("GET", "/api/v1/applications/shop")
    assert not is_public("PATCH", "/api/v1/applications/shop/web")
    assert not is_public("GET", "/api/internal/applications")
    assert not is_public("GET", "/assets/../secrets")
