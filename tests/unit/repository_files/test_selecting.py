"""Choosing what to restore."""

import pytest

from appshield.errors import InvalidInputError
from appshield.repository.files import Selection


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("data/base", b"data/base"),
        ("/data/base/", b"data/base"),
        ("*.conf", b"a.conf"),
        ("a/**", b"a/b"),
        ("a/**", b"a/b/c"),
        ("**/x", b"x"),
        ("**/x", b"a/b/x"),
        ("a/**/x", b"a/x"),
        ("a/**/x", b"a/b/c/x"),
        ("**/b/**/x", b"a/b/c/b/x"),
        ("caf?", "café".encode("latin-1")),
        (b"\xff*", b"\xff\n"),
        ("[ab]c", b"bc"),
    ],
)
def test_a_pattern_chooses(pattern: str | bytes, path: bytes) -> None:
    """Patterns are as in a shell, on raw bytes."""
    assert Selection([pattern]).wants(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("data/base", b"data"),
        ("data/base", b"data/base/x"),
        ("*.conf", b"a/b.conf"),
        ("a/**", b"a"),
        ("a/**/x", b"a/b"),
        ("*", b"a/b"),
        ("a.c", b"abc"),
    ],
)
def test_a_pattern_does_not_choose(pattern: str, path: bytes) -> None:
    """One part of a pattern is one name; what is below a choice is chosen with it elsewhere."""
    assert not Selection([pattern]).wants(path)


def test_only_directories_that_may_hold_a_choice_are_entered() -> None:
    """The others need not even be read."""
    selection = Selection(["data/base/1", "etc/*.conf", "**/needle"])

    assert selection.may_hold(b"data")
    assert selection.may_hold(b"data/base")
    assert selection.may_hold(b"anything/below")  # because of the needle
    selection = Selection(["data/base/1", "etc/*.conf"])
    assert selection.may_hold(b"etc")
    assert not selection.may_hold(b"data/other")
    assert not selection.may_hold(b"etc/a.conf")
    assert not selection.may_hold(b"other")


@pytest.mark.parametrize("pattern", ["", "/", "a//b", "../a", "a/.", "."])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """It would silently choose nothing."""
    with pytest.raises(InvalidInputError):
        Selection([pattern])
