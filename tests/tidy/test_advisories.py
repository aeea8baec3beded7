"""Dependencies are compared with known vulnerabilities, by the tools themselves."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tidy import advisory_scan

VULNERABLE = {"uv.lock": "pyyaml", "package-lock.json": "uplot"}


class Advisories(BaseHTTPRequestHandler):
    """OSV and a registry of npm in one; where `bad`, one dependency of each is vulnerable."""

    bad = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self.path.endswith("/querybatch"):
            told = {"id": 1, "url": "", "title": "X", "severity": "high"}
            advisory = {**told, "vulnerable_versions": "*"}
            self._answer({VULNERABLE["package-lock.json"]: [advisory]} if self.bad else {})
            return
        asked = [query["package"]["name"] for query in json.loads(body)["queries"]]
        found = {"vulns": [{"id": "X-1", "modified": "2026-01-01T00:00:00Z"}]}
        is_bad = [self.bad and name == VULNERABLE["uv.lock"] for name in asked]
        self._answer({"results": [found if one else {} for one in is_bad]})

    def do_GET(self) -> None:
        if self.path.endswith("/X-1"):
            self._answer({"id": "X-1", "modified": "2026-01-01T00:00:00Z", "affected": []})
            return
        name = self.path[1:]
        self._answer({"name": name, "versions": {"1.0.0": {"name": name, "version": "1.0.0"}}})

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("bad", "outcome"), [(True, "vulnerable"), (False, "clean")])
def test_what_is_known_to_be_vulnerable_is_found(
    monkeypatch: pytest.MonkeyPatch, service: str, *, bad: bool, outcome: str
) -> None:
    """Both tools ask about what the lock files name."""
    monkeypatch.setattr(Advisories, "bad", bad)
    for audit in advisory_scan.audits(osv=service, registry=service):
        found, said = advisory_scan.compared(audit)
        assert found == outcome, said
        assert not bad or VULNERABLE[audit.what] in said


def test_a_service_that_does_not_answer_is_told_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clone without a network passes its checks, and is not told that all is well."""
    away = "http://127.0.0.1:9"
    asked = advisory_scan.audits(osv=away, registry=away)
    monkeypatch.setattr(advisory_scan, "audits", lambda: asked)
    assert advisory_scan.main() == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(asked)
    assert all("not compared with known vulnerabilities" in line for line in told)
