"""What holds for every answer: the names we answer under, what browsers may do with it."""

import pytest
from litestar.types import Message, Receive, Scope, Send

from appshield.gateway.hardening import Hardened, host_of, is_loopback

DOCS = "/api/v1/docs"


async def _page(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"Content-Type", b"text/plain"), (b"Cache-Control", b"private, no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"page", "more_body": False})


async def answer(
    path: str = "/", host: bytes = b"localhost", scheme: str = "http"
) -> tuple[int, dict[str, str]]:
    """Ask for a path; return the status and the headers."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    hardened = Hardened(_page, hosts=("shield.example.org",), pages=(DOCS,))
    scope = {"type": "http", "path": path, "scheme": scheme, "headers": [(b"host", host)]}
    await hardened(scope, receive, send)  # type: ignore[arg-type]  # only what is looked at
    start = sent[0]
    assert start["type"] == "http.response.start"
    headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert len(headers) == len(dict(headers)), "no header stands twice"
    return start["status"], dict(headers)


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LOCALHOST:8470",
        b"127.0.0.1:1",
        b"[::1]:8470",
        b"shield.example.org",
        b"Shield.Example.org.:443",
    ],
)
async def test_our_own_names_are_answered(host: bytes) -> None:
    """Those of this machine, and those of the settings, at any port."""
    assert (await answer(host=host))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"evil.example.org",
        b"localhost.evil.example.org",
        b"evil.localhost",
        b"127.0.0.2",
        b"[::2]",
        b"[::1",
        b"localhost, evil.example.org",
        b"localhost@evil.example.org",
        b"\xff",
    ],
)
async def test_other_names_are_refused(host: bytes) -> None:
    """A page of somebody else may let its own name point at us."""
    status, headers = await answer(host=host)
    assert (status, headers["content-type"]) == (421, "application/problem+json")
    assert headers["x-content-type-options"] == "nosniff"


def test_two_names_are_none() -> None:
    """Proxies and we might choose another one of them."""
    assert host_of([(b"host", b"localhost"), (b"host", b"localhost")]) == ""
    assert host_of([]) == ""


async def test_pages_load_nothing_from_elsewhere_and_stand_in_no_frame() -> None:
    """And run no script that is written into them."""
    for path in ("/", "/applications/shop", DOCS):
        policy = (await answer(path))[1]["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert "http" not in policy
        assert "eval" not in policy


async def test_data_of_the_api_is_no_page_and_is_kept_nowhere() -> None:
    """Whatever a backup holds, a browser that opens it runs nothing of it."""
    headers = (await answer("/api/v1/applications"))[1]
    assert headers["content-security-policy"].endswith("sandbox")
    assert headers["cache-control"] == "private, no-cache"  # what the route says stays
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_with_tls_browsers_stay_with_it() -> None:
    """Without it nothing is said about it."""
    assert "strict-transport-security" in (await answer(scheme="https"))[1]
    assert "strict-transport-security" not in (await answer())[1]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("shield.example.org", False),
        ("", False),
    ],
)
def test_what_only_this_machine_reaches_is_known(host: str, *, loopback: bool) -> None:
    """The rest needs TLS."""
    assert is_loopback(host) is loopback
