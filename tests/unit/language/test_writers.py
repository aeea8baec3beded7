"""Who wrote a document, as its annotations say it; the real API server proves the rest."""

import pytest

from appshield.language.writers import (
    UNKNOWN_WRITER,
    WRITTEN_BY,
    WRITTEN_GENERATION,
    writer_annotations,
    writer_of,
)


def _document(annotations: dict[str, str], generation: int = 4) -> dict[str, object]:
    return {"metadata": {"name": "gold", "generation": generation, "annotations": annotations}}


def test_a_writer_is_read_as_it_was_written() -> None:
    """For the generation that it is about."""
    assert writer_of(_document(writer_annotations("oidc:ann", 4))) == "oidc:ann"


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        writer_annotations("ann", 3),
        writer_annotations("ann", 5),
        writer_annotations("", 4),
        {WRITTEN_BY: "ann"},
        {WRITTEN_GENERATION: "4"},
    ],
)
def test_nobody_is_named_for_what_somebody_else_has_written(annotations: dict[str, str]) -> None:
    """A generation that was made while nobody wrote names down is nobody's."""
    assert writer_of(_document(annotations)) == UNKNOWN_WRITER
