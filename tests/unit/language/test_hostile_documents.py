"""No document takes more than two seconds or 256 MiB, or ends in anything but its problems."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
EXAMPLES = sorted((TESTS.parent / "contracts/language/examples").glob("*.yaml"))


@pytest.mark.timeout(300)
def test_hostile_documents_are_refused_within_the_limits() -> None:
    """The process that reads them would be ended by the first that is not."""
    done = subprocess.run(
        [sys.executable, TESTS / "hostile_documents.py", *EXAMPLES],
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1:]
    assert (done.returncode, last) == (0, ["all were read"]), done.stderr[-2000:]
