"""The web interface's files: which one an address means, and how browsers may keep it."""

import gzip
from pathlib import Path

import pytest
from litestar import Litestar, get
from litestar.testing import AsyncTestClient

from appshield.gateway.website import Website

CODE = b"export const answer = 42;\n" * 40
PAGE = b'<!doctype html><meta name="style-nonce" content="%NONCE%"><div id="root"></div>'


@get("/{path:path}")
async def the_api() -> str:
    return "the API"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A build beside which a secret lies."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets/main-1f.js").write_bytes(CODE)
    (folder / "assets/main-1f.js.gz").write_bytes(gzip.compress(CODE))
    (folder / "theme.js").write_bytes(b"dark")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


def client_of(folder: Path) -> AsyncTestClient[Website]:
    return AsyncTestClient(Website(Litestar([the_api]), folder))


async def test_whatever_is_no_file_is_the_page_and_the_api_stays_the_api(built: Path) -> None:
    """Links into the interface can be shared; unknown files of the build are not the page."""
    async with client_of(built) as client:
        for path in ("/", "/index.html", "/applications/shop/my.app", "/runs/b-1?tab=logs"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert b'id="root"' in answer.content
        assert (await client.get("/assets/main-2f.js")).status_code == 404
        assert (await client.get("/api/v1/applications")).content == b"the API"
        assert (await client.get("/healthz")).content == b"the API"
        assert (await client.post("/applications")).status_code == 405
        assert (await client.head("/")).content == b""


async def test_files_are_sent_as_they_were_compressed_and_kept_by_their_names(built: Path) -> None:
    """Names with a digest for ever, others are asked for again."""
    async with client_of(built) as client:
        answer = await client.get("/assets/main-1f.js", headers={"Accept-Encoding": "br, gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.content == CODE
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"].startswith("text/javascript")
        plain = await client.get("/assets/main-1f.js", headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        first = await client.get("/theme.js")
        assert first.headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": first.headers["ETag"]}
        assert (await client.get("/theme.js", headers=known)).status_code == 304


async def test_each_load_has_a_policy_of_its_own(built: Path) -> None:
    """Nothing inline runs; style elements need the word of this load, which no cache keeps."""
    async with client_of(built) as client:
        seen = set()
        for _ in range(2):
            answer = await client.get("/")
            policy = answer.headers["Content-Security-Policy"]
            word = policy.partition("'nonce-")[2].partition("'")[0]
            assert f'content="{word}"'.encode() in answer.content
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert answer.headers["Cache-Control"] == "no-store"
            seen.add(word)
        assert len(seen) == 2


@pytest.mark.parametrize(
    "path", ["/../secret", "/%2e%2e/secret", "/assets/../../secret", "//secret"]
)
async def test_no_address_leads_out_of_the_build(built: Path, path: str) -> None:
    """Files are found by name alone."""
    async with client_of(built) as client:
        assert b"secret" not in (await client.get(f"http://testserver.local{path}")).content


async def test_what_is_not_built_says_so_until_it_is(built: Path) -> None:
    """The gateway needs no restart."""
    page = built / "index.html"
    page.unlink()
    async with client_of(built) as client:
        missing = await client.get("/")
        assert missing.status_code == 503
        assert "Node.js" in missing.text
        page.write_bytes(PAGE)
        assert (await client.get("/")).status_code == 200
