"""The web interface's source keeps the rules of its own tools."""

import subprocess
from pathlib import Path

from appshield.local.website_building import npm_of_machine


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
