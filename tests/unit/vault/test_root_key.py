"""The printed root key: what a person copies comes back right, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.vault import RootKeyError, export_root_key, import_root_key, new_root_key

keys = st.binary(min_size=32, max_size=32)


@given(keys)
def test_an_exported_key_comes_back(root_key: bytes) -> None:
    """Every key survives being printed."""
    assert import_root_key(export_root_key(root_key)) == root_key


@given(keys)
def test_reading_forgives_what_people_change(root_key: bytes) -> None:
    """Case, spaces, line ends, lost dashes and letters that look alike do not matter."""
    text = export_root_key(root_key)
    sloppy = text.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert import_root_key(f"  {sloppy}\n") == root_key


@given(keys, st.integers(0, 55), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_wrong_letter_is_found(root_key: bytes, place: int, letter: str) -> None:
    """The checksum finds it (all but one in 16 million)."""
    packed = list(export_root_key(root_key).replace("-", ""))
    changed = packed[4 + place] != letter
    packed[4 + place] = letter
    if changed:
        with pytest.raises(RootKeyError, match="typing error"):
            import_root_key("".join(packed))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[:-1], "55 of 56"),
        (lambda text: text + "A", "57 of 56"),
        (lambda text: text.removeprefix("ASK1-"), "ASK1"),
        (lambda text: "", "ASK1"),
        (lambda text: text[:-1] + "ü", "letter 56"),
        (lambda text: text[:-1] + "U", "letter 56"),
    ],
)
def test_each_typing_error_is_said_without_the_key(change: object, says: str) -> None:
    """The message helps to find it and repeats nothing of the key."""
    text = export_root_key(bytes(range(32)))
    with pytest.raises(RootKeyError, match=says) as raised:
        import_root_key(change(text))  # type: ignore[operator] # one of the functions above
    assert not [group for group in text.split("-")[1:] if group in str(raised.value)]


def test_only_whole_keys_are_exported() -> None:
    """31 bytes are no key."""
    assert len(new_root_key()) == 32
    with pytest.raises(RootKeyError, match="31"):
        export_root_key(bytes(31))
