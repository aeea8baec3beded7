"""The web service of the demo, without its database: its driver is in the image alone."""

import hashlib
import importlib
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import aiohttp
import pytest


class Service(NamedTuple):
    """Where it answers, and the folder of its files."""

    url: str
    uploads: Path


class DatabaseError(Exception):
    """What the driver raises when there is no database."""


def no_database(**_: object) -> None:
    raise DatabaseError("no route to host, password=planted")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    """The service on a free port."""
    driver = ModuleType("psycopg2")
    vars(driver).update(Error=DatabaseError, connect=no_database)
    monkeypatch.setitem(sys.modules, "psycopg2", driver)
    uploads, settings = tmp_path / "uploads", tmp_path / "settings"
    uploads.mkdir()
    settings.mkdir()
    (settings / "greeting").write_text("hello")
    (settings / "..data").mkdir()
    names = {"UPLOADS": uploads, "SETTINGS": settings, "VERSION": "1"}
    for name, value in {**names, "DATABASE_HOST": "db", "DATABASE_USER": "u"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DATABASE_PASSWORD", "planted")
    monkeypatch.delitem(sys.modules, "appshield.local.demo.web_service", raising=False)
    module = importlib.import_module("appshield.local.demo.web_service")
    server = ThreadingHTTPServer(("127.0.0.1", 0), module.Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host, port = server.server_address[:2]
    yield Service(url=f"http://{host!s}:{port}", uploads=uploads)
    server.shutdown()
    thread.join()
    server.server_close()
    sys.modules.pop("appshield.local.demo.web_service")


async def answer(service: Service, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, service.url + path, data=body or None) as got,
    ):
        return got.status, await got.text()


async def test_a_file_is_stored_and_answered_with_its_digest(service: Service) -> None:
    """The digest is of what lies in the folder, and writing again replaces it."""
    for body in (b"first", b"second"):
        digest = hashlib.sha256(body).hexdigest()
        assert await answer(service, "PUT", "/files/7", body) == (200, digest)
        assert await answer(service, "GET", "/files/7") == (200, body.decode())
        assert await answer(service, "GET", "/files") == (200, f"7 {digest}\n")
    assert [path.name for path in service.uploads.iterdir()] == ["7"]


async def test_files_are_listed_in_order_and_half_written_ones_are_not(service: Service) -> None:
    """A write that a crash cut short leaves nothing that looks like a file."""
    for n in (10, 9, 1):
        await answer(service, "PUT", f"/files/{n}", b"x")
    (service.uploads / ".11.1.partial").write_bytes(b"half")
    _, listed = await answer(service, "GET", "/files")
    assert [line.split()[0] for line in listed.splitlines()] == ["1", "9", "10"]


async def test_without_a_database_it_is_not_healthy_and_says_no_secret(service: Service) -> None:
    """Rows are refused in a way that can be tried again."""
    for method, path in (("GET", "/healthz"), ("GET", "/rows"), ("PUT", "/rows/1")):
        assert await answer(service, method, path, b"x") == (503, "DatabaseError\n")


async def test_version_and_settings_are_told_and_the_secret_is_not(service: Service) -> None:
    """What the ConfigMap holds may be seen by anybody."""
    assert await answer(service, "GET", "/version") == (200, "1")
    assert await answer(service, "GET", "/config") == (200, '{"greeting": "hello"}')


@pytest.mark.parametrize("path", ["/files/1", "/files/..%2f1", "/files/x", "/other", "/files/1/2"])
async def test_what_is_not_there_is_not_found(service: Service, path: str) -> None:
    """Only numbers name files, so no path leads out of the folder."""
    assert (await answer(service, "GET", path))[0] == 404
