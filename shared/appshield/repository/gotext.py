"""How Go spells values in JSON: restic's trees are called by the hash of exactly these bytes.

Names are raw bytes: first quoted like a Go string literal (`strconv.Quote` without the quotes),
then written as JSON. Other texts are JSON alone, with Go's habit of escaping `<`, `>` and `&`.
Times are RFC 3339 with trailing zeros cut off. File modes are Go's `os.FileMode`.
"""

import re
import sys
from functools import lru_cache
from typing import Final

from appshield.errors import DamagedError

NANOSECONDS: Final = 1_000_000_000

_PLAIN: Final = re.compile(rb"[ !#-%'-;=?-\[\]-~]*\Z")
"""ASCII that neither Go's quoting nor its JSON changes."""

_JSON_ESCAPES: Final = str.maketrans(
    {chr(code): f"\\u{code:04x}" for code in (*range(0x20), 0x3C, 0x3E, 0x26, 0x2028, 0x2029)}
    | {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    # bytes that are not UTF-8, as `surrogateescape` decodes them, are lost in Go's JSON
    | {chr(code): "\\ufffd" for code in range(0xDC80, 0xDD00)}
)

_QUOTES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}

_UNQUOTE: Final = re.compile(
    r"\\(?:(?P<simple>[\"\\abfnrtv])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<wrong>.?))",
    re.DOTALL,
)
_UNQUOTED: Final = {quoted[1]: plain for plain, quoted in _QUOTES.items()}

_NEW_IN_UNICODE_15: Final = (
    (0xCF3, 0xCF3), (0xECE, 0xECE), (0x10EFD, 0x10EFF), (0x1123F, 0x11241), (0x11B00, 0x11B09),
    (0x11F00, 0x11F10), (0x11F12, 0x11F3A), (0x11F3E, 0x11F59), (0x1342F, 0x1342F),
    (0x13440, 0x13455), (0x1B132, 0x1B132), (0x1B155, 0x1B155), (0x1D2C0, 0x1D2D3),
    (0x1DF25, 0x1DF2A), (0x1E030, 0x1E06D), (0x1E08F, 0x1E08F), (0x1E4D0, 0x1E4F9),
    (0x1F6DC, 0x1F6DC), (0x1F774, 0x1F776), (0x1F77B, 0x1F77F), (0x1F7D9, 0x1F7D9),
    (0x1FA75, 0x1FA77), (0x1FA87, 0x1FA88), (0x1FAAD, 0x1FAAF), (0x1FABB, 0x1FABD),
    (0x1FABF, 0x1FABF), (0x1FACE, 0x1FACF), (0x1FADA, 0x1FADB), (0x1FAE8, 0x1FAE8),
    (0x1FAF7, 0x1FAF8), (0x2B739, 0x2B739), (0x31350, 0x323AF),
)  # fmt: skip
"""Printable for Go 1.21 and later, which Python 3.11 does not know yet."""


def json_text(text: str) -> str:
    """Return `text` as JSON, quotes included, the way `encoding/json` writes it."""
    return f'"{text.translate(_JSON_ESCAPES)}"'


def json_name(name: bytes) -> str:
    """Return a name as it stands in a tree, quotes included."""
    if _PLAIN.match(name):
        return f'"{name.decode("ascii")}"'
    return json_text("".join(map(_quoted, name.decode("utf-8", "surrogateescape"))))


def parse_name(text: str) -> bytes:
    """Return the raw name for what stood in a tree, already read as JSON."""
    if "\\" not in text:
        return text.encode()
    parts: list[bytes] = []
    end = 0
    for escape in _UNQUOTE.finditer(text):
        parts += (text[end : escape.start()].encode(), _unquoted(escape))
        end = escape.end()
    return b"".join((*parts, text[end:].encode()))


def _quoted(character: str) -> str:
    code = ord(character)
    if character in _QUOTES:
        return _QUOTES[character]
    if 0xDC80 <= code < 0xDD00:
        return f"\\x{code - 0xDC00:02x}"
    if _is_printable(character):
        return character
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_printable(character: str) -> bool:
    if character.isprintable():
        return True
    code = ord(character)
    return sys.version_info < (3, 12) and any(a <= code <= b for a, b in _NEW_IN_UNICODE_15)


def _unquoted(escape: re.Match[str]) -> bytes:
    kind = escape.lastgroup
    digits = escape[kind or 0]
    if kind == "simple":
        return _UNQUOTED[digits].encode()
    if kind == "byte":
        return bytes([int(digits, 16)])
    if kind == "octal":
        return bytes([int(digits, 8)])
    try:
        return chr(int(digits, 16)).encode()
    except (ValueError, OverflowError) as error:
        raise DamagedError(f"a name holds the unknown escape {escape[0]!r}") from error


# File modes: the bits of os.FileMode above the nine permission bits.

_KIND_BITS: Final = {
    "file": 0,
    "dir": 1 << 31,
    "symlink": 1 << 27,
    "dev": 1 << 26,
    "chardev": 1 << 26 | 1 << 21,
    "fifo": 1 << 25,
    "socket": 1 << 24,
}
_SPECIAL_BITS: Final = ((0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20))
_ANY_SPECIAL: Final = 1 << 23 | 1 << 22 | 1 << 20


@lru_cache(maxsize=256)
def go_mode(kind: str, mode: int) -> int:
    """Return the `os.FileMode` of an entry with these Unix permission bits."""
    special = sum(go for unix, go in _SPECIAL_BITS if mode & unix)
    return _KIND_BITS[kind] | special | mode & 0o777


def unix_mode(mode: int) -> int:
    """Return the Unix permission bits (0o7777) of an `os.FileMode`."""
    if not mode & _ANY_SPECIAL:
        return mode & 0o777
    return sum(unix for unix, go in _SPECIAL_BITS if mode & go) | mode & 0o777


# Times: Go's calendar is the proleptic Gregorian one, from year 0 to 9999.

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))\Z",
    re.ASCII,
)


def format_time(time_ns: int) -> str:
    """Return a time (nanoseconds since 1970) in UTC, the year clamped to 0–9999 like restic's."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    if nanoseconds:
        return f"{_clock_of(seconds)}.{nanoseconds:09d}".rstrip("0") + "Z"
    return _clock_of(seconds) + "Z"


@lru_cache(maxsize=4096)
def _clock_of(seconds: int) -> str:
    """Return date and time to the second; many entries of a directory are of one second."""
    days, second = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    if not 0 <= year <= 9999:
        year = min(max(year, 0), 9999)
        if (month, day) == (2, 29) and not _is_leap(year):
            month, day = 3, 1
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{year:04d}-{month:02d}-{day:02d}T{clock}"


def parse_time(text: str) -> int:
    """Return the nanoseconds since 1970 of a time as Go writes it, in any zone."""
    match = _TIME.match(text)
    if match is None:
        raise DamagedError(f"{text!r} is not a time")
    date, hour, minute, second, fraction, sign, zone_hour, zone_minute = match.groups()
    seconds = _days_until(date) * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign:
        offset_s = int(zone_hour) * 3600 + int(zone_minute) * 60
        seconds += offset_s if sign == "-" else -offset_s
    return seconds * NANOSECONDS + int((fraction or "0").ljust(9, "0"))


@lru_cache(maxsize=1024)
def _days_until(date: str) -> int:
    """Return days since 1970-01-01; many entries of a directory are from one day."""
    year, month, day = date.split("-")
    return _days(int(year), int(month), int(day))


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01; the year is counted from March, so the leap day is its last."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day; the inverse of `_days` (H. Hinnant, chrono algorithms)."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    return era * 400 + year_of_era + (month <= 2), month, day
