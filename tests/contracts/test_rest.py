"""The REST API cannot drift from its description, nor from the command line."""

from pathlib import Path

import pytest
from cyclopts import App

from appshield.cli.commands import command_line
from appshield.cli.twins import TWINS, WITHOUT, routes
from appshield.cli.write_rest import files

FOLDER = Path(__file__).parents[2] / "contracts"
OF_BROWSERS = {"POST /session", "DELETE /session"}
BESIDE = {"POST /signals/{signal}", "DELETE /dead-letters/{number}"}
"""What tools do without a command: `nats pub` sends a signal as well."""


def verbs(app: App, above: str = "") -> set[str]:
    """Name every command."""
    found = set()
    for name in app:
        if name.startswith("-"):
            continue
        below = verbs(app[name], f"{above}{name} ")
        found |= below or {above + name}
    return found


@pytest.mark.parametrize("name", ["openapi.json", "rest.md"])
def test_what_is_generated_is_committed(name: str) -> None:
    """The description changes only where a person reads it."""
    assert (FOLDER / name).read_text() == files()[name], "run `uv run poe rest`"


def test_every_command_has_a_twin_or_says_why_not() -> None:
    """Never both, and none of a command that is gone."""
    assert set(TWINS) | set(WITHOUT) == verbs(command_line())
    assert not set(TWINS) & set(WITHOUT)


def test_every_twin_is_a_route_that_is_there() -> None:
    """With its method."""
    known = {route for route, _, _ in routes()}
    assert {twin for twins in TWINS.values() for twin in twins} <= known


def test_what_changes_something_has_a_command() -> None:
    """But what belongs to browsers, or to tools that publish."""
    writes = {route for route, _, _ in routes() if not route.startswith("GET ")}
    named = {twin for twins in TWINS.values() for twin in twins}
    assert writes - named - OF_BROWSERS - BESIDE == {
        "DELETE /documents/{kind}/{namespace}/{name}",  # kubectl delete
        "POST /applications/{namespace}/{name}/retention",  # a preview that takes a body
    }
