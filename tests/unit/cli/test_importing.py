"""What a command loads: nothing that hardly one makes use of."""

import subprocess
import sys
from typing import Final

import pytest

_LOADED: Final = """
import sys
from appshield.cli.importing import load_less
load_less()
from appshield.cli import __main__, backups, commands
print(*sys.modules)
"""
_LATER: Final = """
from appshield.cli.importing import load_less
load_less()
import nats, structlog, rich.console, rich.pretty, aiohttp
from nats.aio import transport
assert transport.aiohttp is None
structlog.get_logger().info("said", what=aiohttp.ClientSession, how=rich.console.Console)
"""


def _said(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("needless", ["aiohttp", "rich.pretty", "rich.traceback"])
def test_a_command_that_asks_the_bus_does_without(needless: str) -> None:
    """They take longer to load than a small backup takes."""
    assert needless not in _said(_LOADED).split()


def test_others_find_what_was_left_out() -> None:
    """It was missing only while those were loaded that do without."""
    assert "said" in _said(_LATER)
