"""The REST API cannot drift from its description, nor from the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cyclopts import App

from appshield.cli.commands import command_line
from appshield.cli.twins import TWINS, WITHOUT, routes
from appshield.cli.write_rest import files
from appshield.gateway.api.application import PATH, document

FOLDER = Path(__file__).parents[2] / "contracts"
OF_BROWSERS = {"POST /session", "DELETE /session"}
BESIDE = {"POST /signals/{signal}", "DELETE /dead-letters/{number}"}
"""What tools do without a command: `nats pub` sends a signal as well."""

READ_WITHOUT = {
    "GET /me": "the command line is this machine's user",
    "GET /me/permissions": "the command line is this machine's user",
    "GET /login-methods": "belongs to browsers",
    "GET /session/oidc": "belongs to browsers",
    "GET /session/oidc/callback": "belongs to browsers",
    "GET /version": "`appshield --version`",
    "GET /applications/counts": "the lines of `appshield apps`, counted",
    "GET /documents/{kind}": "`kubectl get`",
}
"""Routes that only read and have no command, and why."""


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


def test_what_is_read_has_a_command_or_says_why_not() -> None:
    """What a page shows, a terminal can show as well."""
    reads = {route for route, _, _ in routes() if route.startswith("GET ")}
    named = {twin for twins in TWINS.values() for twin in twins}
    assert reads - named == set(READ_WITHOUT)


def test_every_body_has_an_example_that_fits() -> None:
    """A person copies it; it is of the shape that is described beside it."""
    described = document("")
    shapes = {"components": described["components"]}
    missing, bodies = [], 0
    for path, item in described["paths"].items():
        for method, operation in item.items():
            body = operation.get("requestBody") if isinstance(operation, dict) else None
            for kind, content in (body or {}).get("content", {}).items():
                bodies += 1
                if "example" not in content:
                    missing.append(f"{method} {path} {kind}")
                    continue
                jsonschema_rs.validate({**shapes, **content["schema"]}, content["example"])
    assert missing == []
    assert bodies >= 15


def test_every_answer_has_an_example_that_fits() -> None:
    """Also every problem; a type that changes cannot leave its example behind."""
    described = document("")
    shapes = {"components": described["components"]}
    missing, answers = [], 0
    for path, item in described["paths"].items():
        for method, operation in item.items():
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    if not kind.endswith("json") or status == "204":
                        continue
                    answers += 1
                    shown = examples_of(content, described)
                    if not shown:
                        missing.append(f"{method} {path} {status}")
                    checker = jsonschema_rs.validator_for(
                        {**shapes, **content["schema"]}, validate_formats=True
                    )
                    for one in shown:
                        checker.validate(one)
    assert missing == []
    assert answers >= 800


def examples_of(content: Mapping[str, Any], described: Mapping[str, Any]) -> list[object]:
    """Give what an answer of one kind may look like."""
    named = [
        described["components"]["examples"][one["$ref"].rpartition("/")[2]]["value"]
        for one in content.get("examples", {}).values()
    ]
    return [*named, *([content["example"]] if "example" in content else [])]


def test_examples_are_of_one_application() -> None:
    """A person recognizes in one answer what another one named."""
    paths = document("")["paths"]
    listed = examples_in(paths, "/runs")["items"][0]
    shown = examples_in(paths, "/runs/{run}")
    assert listed["id"] == shown["summary"]["id"]
    assert (listed["namespace"], listed["name"]) == ("shop", "web")


def examples_in(paths: Mapping[str, Any], path: str) -> Any:
    """Give the example of what a GET answers."""
    answer = paths[f"{PATH}{path}"]["get"]["responses"]["200"]
    return answer["content"]["application/json"]["example"]


def test_what_is_conditional_says_by_which_headers() -> None:
    """Whoever reads sends what they have, whoever replaces what they mean."""
    found = {"If-None-Match": 0, "If-Match": 0}
    for item in document("")["paths"].values():
        for operation in item.values():
            answers = operation["responses"] if isinstance(operation, dict) else {}
            for status, header in (("304", "If-None-Match"), ("428", "If-Match")):
                if status in answers:
                    found[header] += 1
                    assert header in [one["name"] for one in operation["parameters"]]
                    read = answers.get("200", {"headers": {"ETag": {}}})
                    assert "ETag" in read["headers"]
    assert found == {"If-None-Match": 6, "If-Match": 2}
