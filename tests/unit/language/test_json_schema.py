"""The schema for editors accepts what the reader accepts, and refuses what has another shape."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from appshield.language.json_schema import schema_of, schema_of_all
from appshield.language.kinds import KINDS
from appshield.language.reading import read_documents

ROOT = Path(__file__).parents[3]
FILES = [
    *sorted((ROOT / "contracts/language/examples").glob("*.yaml")),
    *sorted((Path(__file__).parent / "documents").glob("*.yaml")),
]


def _documents(file: Path) -> list[dict[str, Any]]:
    return [one.object for one in read_documents(file.read_text(), file.name)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_the_reader_accepts_the_schema_accepts(file: Path) -> None:
    """By the schema of its kind, and by the one of all kinds."""
    for document in _documents(file):
        jsonschema_rs.validate(schema_of(document["kind"]), document)
        jsonschema_rs.validate(schema_of_all(), document)


@pytest.mark.parametrize(
    ("field", "value"),
    [("spec", None), ("spec", []), ("kind", "Aplication"), ("apiVersion", "v1"), ("metadata", {})],
)
def test_a_wrong_shape_is_refused(field: str, value: object) -> None:
    """An editor shows it while it is written."""
    for file in FILES:
        for document in _documents(file):
            assert not jsonschema_rs.is_valid(schema_of_all(), {**document, field: value})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_unknown_field_is_refused(file: Path) -> None:
    """As the reader does; the definition in the cluster would drop it."""
    for document in _documents(file):
        document["spec"]["unknown"] = 1
        assert not jsonschema_rs.is_valid(schema_of_all(), document)
        assert not jsonschema_rs.is_valid(schema_of(document["kind"]), document)


@pytest.mark.parametrize("schema", [*map(schema_of, KINDS), schema_of_all()])
def test_a_schema_is_one_by_the_rules_of_its_dialect(schema: dict[str, Any]) -> None:
    """And nothing of it allows null, which means nothing in a document."""
    jsonschema_rs.meta.validate(schema)
    assert "'null'" not in str(schema)
