"""The reference page: generated, complete, and every example in it is right."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from appshield.language.advising import advise
from appshield.language.advising_together import Surroundings, advise_together
from appshield.language.kinds import KINDS
from appshield.language.reading import read_documents
from appshield.language.reference import examples_in, fields, reference
from appshield.language.write_reference import examples, main

FOLDER = Path(__file__).parents[3] / "contracts" / "language"
NOW = datetime(2026, 11, 29, tzinfo=UTC)
EXAMPLES = examples(FOLDER)
WITH_AN_EXAMPLE = frozenset(examples_in(EXAMPLES))


def test_the_committed_page_is_that_of_the_types() -> None:
    """`poe reference` was run after the last change of a type or an example."""
    assert (FOLDER / "README.md").read_text() == reference(EXAMPLES)


def test_the_command_writes_the_page_beside_its_examples(tmp_path: Path) -> None:
    """The same page from the same examples."""
    (tmp_path / "examples").mkdir()
    for name, text in EXAMPLES.items():
        (tmp_path / "examples" / name).write_text(text)
    main(tmp_path)
    assert (tmp_path / "README.md").read_text() == (FOLDER / "README.md").read_text()


@pytest.mark.parametrize(("struct", "field"), list(fields()))
def test_every_field_has_an_example(struct: str, field: str) -> None:
    """A field that was added needs one in `contracts/language/examples`."""
    assert (struct, field) in WITH_AN_EXAMPLE


def test_every_kind_and_every_field_stands_on_the_page() -> None:
    """With a heading for each kind and each part."""
    page = (FOLDER / "README.md").read_text()
    sections = {part.partition("\n")[0]: part for part in page.split("\n### ")}
    assert [kind for kind in KINDS if f"\n## {kind}\n" not in page] == []
    assert [pair for pair in fields() if f"| `{pair[1]}` |" not in sections[pair[0]]] == []
    assert ("Workload", "kind") in set(fields())


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_right_and_means_what_it_says(name: str) -> None:
    """Neither an error nor a warning: people copy examples."""
    documents = read_documents(EXAMPLES[name], name)
    assert [str(one) for document in documents for one in advise(document.resource, NOW)] == []
    together = tuple(document.resource for document in documents)
    assert list(advise_together(together, Surroundings())) == []
