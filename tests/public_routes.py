"""Whether a request is one that anybody may make: of a route of the OpenAPI document, or a file."""

import json
import re
from functools import cache
from pathlib import Path

OPENAPI = Path(__file__).parents[1] / "contracts/openapi.json"
_FILES = re.compile(r"/(assets/[\w.-]+|[\w-]+\.(svg|js))")


def is_public(method: str, path: str) -> bool:
    """Say whether a request asks a documented route, or for a file of the interface."""
    if method == "GET" and _FILES.fullmatch(path):
        return True
    return any(pattern.fullmatch(path) for pattern in _documented().get(method.lower(), ()))


@cache
def _documented() -> dict[str, list[re.Pattern[str]]]:
    found: dict[str, list[re.Pattern[str]]] = {}
    for path, operations in json.loads(OPENAPI.read_text())["paths"].items():
        parts = re.split(r"\{[^}]*\}", path)
        pattern = re.compile("[^/]+".join(map(re.escape, parts)))
        for method in operations:
            found.setdefault(method, []).append(pattern)
    return found
