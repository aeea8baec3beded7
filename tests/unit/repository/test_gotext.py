"""Texts, times and modes are spelled as Go spells them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from appshield.errors import DamagedError
from appshield.repository.gotext import (
    format_time,
    go_mode,
    json_name,
    json_text,
    parse_name,
    parse_time,
    unix_mode,
)

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (b"plain", '"plain"'),
        (b'a"b', r'"a\\\"b"'),
        (b"a\\b", r'"a\\\\b"'),
        (b"\t\n\a", r'"\\t\\n\\a"'),
        (b"\x01\x7f", r'"\\x01\\x7f"'),
        (b"\xff", r'"\\xff"'),
        (b"\xed\xa0\x80", r'"\\xed\\xa0\\x80"'),
        (b"<&>", r'"\u003c\u0026\u003e"'),
        ("é日😀".encode(), '"é日😀"'),
        ("\u0085\u00a0\u2028\ue000".encode(), r'"\\u0085\\u00a0\\u2028\\ue000"'),
        ("\U000e0001".encode(), r'"\\U000e0001"'),
        ("\U0001fae8".encode(), '"\U0001fae8"'),
        ("�".encode(), '"�"'),
        (b"it's", '"it\'s"'),
    ],
)
def test_names_are_quoted_and_then_json(name: bytes, written: str) -> None:
    """Each kind of character has Go's form, in both directions."""
    assert written == json_name(name)
    assert name == parse_name(json.decode(written))


@given(name=st.binary())
def test_any_name_comes_back(name: bytes) -> None:
    """Raw bytes survive, whatever they are."""
    assert name == parse_name(json.decode(json_name(name)))


@given(name=st.text().filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_any_name_in_utf8_comes_back(name: str) -> None:
    """And so does any Unicode text."""
    assert name.encode() == parse_name(json.decode(json_name(name.encode())))


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x1", "\\u12", "\\U00110000", "\\ud800", "\\'"])
def test_an_unknown_escape_is_damage(text: str) -> None:
    """A name that Go would not read is not guessed."""
    with pytest.raises(DamagedError):
        parse_name(text)


def test_other_texts_are_json_alone() -> None:
    """Control characters, markup and lone bytes, as encoding/json writes them."""
    assert json_text('a"\\\n\x01<\u2028é\udcff') == '"a\\"\\\\\\n\\u0001\\u003c\\u2028é\\ufffd"'


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    """JSON readers get the text that was written."""
    assert text == json.decode(json_text(text))


@pytest.mark.parametrize(
    ("time_ns", "written"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_600_000_000 * SECOND + 120_000_000, "2020-09-13T12:26:40.12Z"),
        (951_782_400 * SECOND, "2000-02-29T00:00:00Z"),
        (-62_167_219_200 * SECOND, "0000-01-01T00:00:00Z"),
        (-62_167_219_201 * SECOND, "0000-12-31T23:59:59Z"),
        (253_402_300_799 * SECOND, "9999-12-31T23:59:59Z"),
        (253_402_300_800 * SECOND, "9999-01-01T00:00:00Z"),
    ],
)
def test_times_are_as_go_writes_them(time_ns: int, written: str) -> None:
    """Trailing zeros are cut, years are clamped to four digits."""
    assert written == format_time(time_ns)


@given(time=st.datetimes(), nanosecond=st.integers(0, 999))
def test_any_time_comes_back_and_agrees_with_python(time: dt.datetime, nanosecond: int) -> None:
    """To the nanosecond, from year 1 to 9999."""
    delta = time - dt.datetime(1970, 1, 1)
    microseconds = delta // dt.timedelta(microseconds=1)
    time_ns = microseconds * 1000 + nanosecond
    written = format_time(time_ns)
    assert time_ns == parse_time(written)
    assert written.startswith(time.strftime("%Y").rjust(4, "0"))


def test_times_are_read_in_any_zone() -> None:
    """Restic writes the zone of its machine."""
    expected = parse_time("2026-01-01T00:00:00.5Z")
    assert expected == parse_time("2026-01-01T05:30:00.5+05:30")
    assert expected == parse_time("2025-12-31T16:00:00.500000000-08:00")


@pytest.mark.parametrize("text", ["", "2026-01-01", "2026-01-01T00:00:00", "x" * 20])
def test_what_is_no_time_is_damage(text: str) -> None:
    """No time is guessed."""
    with pytest.raises(DamagedError):
        parse_time(text)


@pytest.mark.parametrize(
    ("kind", "mode", "written"),
    [
        ("file", 0o644, 420),
        ("dir", 0o755, 2147484141),
        ("symlink", 0o777, 134218239),
        ("file", 0o4755, 8389101),
        ("dir", 0o1777, 2148532735),
        ("fifo", 0o600, 33554816),
        ("socket", 0o755, 16777709),
        ("dev", 0o660, 67109296),
        ("chardev", 0o660, 69206448),
    ],
)
def test_modes_are_go_file_modes(kind: str, mode: int, written: int) -> None:
    """Type and special bits are where Go has them."""
    assert written == go_mode(kind, mode)
    assert mode == unix_mode(written)
