"""The corpus of wrong documents: each is refused, with all its errors at their places."""

import re
from pathlib import Path

import pytest

from appshield.language.object_reading import read_object
from appshield.language.problems import DocumentError
from appshield.language.reading import read_documents

CORPUS = Path(__file__).parent / "wrong_documents.txt"
LINE = re.compile(r"\d+:\d+: [^:]+: .+; .+")


def _cases() -> list[tuple[str, str, list[str]]]:
    cases = []
    for part in CORPUS.read_text().split("=== ")[1:]:
        title, _, rest = part.partition("\n")
        text, _, expected = rest.partition("--- wrong\n")
        cases.append((title, text, expected.splitlines()))
    return cases


CASES = _cases()


@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_wrong_document_is_refused_with_all_errors_at_their_places(
    text: str, expected: list[str]
) -> None:
    """Every error is one line `line:column: field: what is wrong; what would be right`."""
    with pytest.raises(DocumentError) as caught:
        read_documents(text, "shop.yaml")
    assert [f"shop.yaml:{line}" for line in expected] == list(caught.value.problems)
    assert all(LINE.fullmatch(line) for line in expected)


def test_the_corpus_is_large_and_no_title_is_used_twice() -> None:
    """A case that is lost by a typing error in the corpus is noticed."""
    assert len(CASES) >= 119
    assert len({title for title, _, _ in CASES}) == len(CASES)


def test_a_password_in_an_address_is_not_repeated() -> None:
    """The one place of a document where people put a secret by mistake is not echoed."""
    text = next(text for title, text, _ in CASES if "password" in title)
    with pytest.raises(DocumentError) as caught:
        read_documents(text, "vault.yaml")
    assert "hunter2" in text
    assert "hunter2" not in str(caught.value)


def test_an_object_from_the_api_server_is_checked_by_the_same_rules() -> None:
    """Errors of objects name the object and the path of the field."""
    wrong = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "shop", "uid": "u"},
        "spec": {"protect": [{"name": "a", "on": {"schedule": "x"}}], "typ": "web"},
    }
    with pytest.raises(DocumentError) as caught:
        read_object(wrong)
    assert len(caught.value.problems) == 2
    assert all(line.startswith("Application shop/shop: spec.") for line in caught.value.problems)
