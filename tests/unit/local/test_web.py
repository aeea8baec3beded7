"""Where people find the web interface, and whether somebody is there."""

import asyncio
import socket

import pytest

from appshield.local.web import WEB_PORT, answered, until_answered, web_address, web_port


def test_a_port_that_a_person_has_set_is_taken() -> None:
    """Whoever has it at the moment: the gateway says so then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert web_port({"APPSHIELD_GATEWAY_HTTP_PORT": str(port)}) == port


def test_a_port_that_is_taken_is_not_chosen() -> None:
    """Two installations on one machine do not meet."""
    try:
        taken = socket.create_server(("127.0.0.1", WEB_PORT))
    except OSError:  # by somebody else, then
        assert web_port({}) != WEB_PORT
        return
    with taken:
        assert web_port({"APPSHIELD_GATEWAY_HTTP_PORT": "0"}) != WEB_PORT


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, "http://127.0.0.1:8470"),
        ({"TLS_CERTIFICATE_FILE": "c"}, "https://127.0.0.1:8470"),
        (
            {"TLS_CERTIFICATE_FILE": "c", "HTTP_NAMES": "shield.example.org, other"},
            "https://shield.example.org:8470",
        ),
    ],
)
def test_the_address_follows_the_settings_of_the_gateway(
    settings: dict[str, str], address: str
) -> None:
    """So that the link that is printed works."""
    environment = {f"APPSHIELD_GATEWAY_{name}": value for name, value in settings.items()}
    assert web_address(environment, 8470) == address


async def test_somebody_who_listens_is_found() -> None:
    """And nobody where nobody does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        web = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert await answered(web)
        assert await until_answered(web, asyncio.Event())
    assert not await answered(web)
    stopping = asyncio.Event()
    waiting = asyncio.create_task(until_answered(web, stopping))
    stopping.set()
    assert not await waiting
