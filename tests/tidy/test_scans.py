"""The scans of `poe check` find what they are for, and nothing in this repository."""

import secrets

import pytest

from tidy import requirement_scan, secret_scan
from tidy.requirement_scan import problems_in
from tidy.secret_scan import secrets_in

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def random_text(length: int) -> str:
    """Make something up that has never been a secret; not in the source, as it would be found."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


@pytest.mark.parametrize(
    "line",
    [
        "key = 'AKIA" + "%s'",
        "nkey: SU" + "%s",
        "GITHUB=ghp_" + "%s",
        "-----BEGIN " + "RSA PRIVATE KEY-----\n%s",
        "Authorization: Bearer eyJhbGciOi" + "%s.eyJzdWIi" + "%s.%s",
        "url = 'nats://user:" + "%s@example.org'",
        'password = "' + '%s"',
        '{"token": "' + '%s"}',
    ],
)
def test_a_secret_is_found_where_it_stands(line: str) -> None:
    """Unless the line says why it is none."""
    lengths = {"AKIA": 16, "SU": 56, "ghp_": 36}
    length = next((size for begin, size in lengths.items() if begin in line), 40)
    planted = line.replace("%s", random_text(length))
    assert [at for at, _ in secrets_in(f"first\n{planted}\nlast")][:1] == [2]
    if "\n" not in planted:
        assert not list(secrets_in(f"{planted}  # no secret: made up"))


@pytest.mark.parametrize(
    "line",
    [
        'password = "correct-horse-battery-staple-horse"',
        "token = read_token(environment)",
        'secret = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
        "nats://user:${PASSWORD}@example.org",
        "kubectl create token shop",
        'token="dG9rZW4tb2YtdGhlLXNob3A="',
    ],
)
def test_what_is_none_is_left_alone(line: str) -> None:
    """Else people would stop to look."""
    assert not list(secrets_in(line))


@pytest.mark.parametrize(
    "line",
    [
        "aiohttp>=3 --hash=sha256:" + "0" * 64,
        "aiohttp==3.1",
        "aiohttp==3.1 --hash=md5:" + "0" * 32,
        "aiohttp @ git+https://example.org/aiohttp",
        "-e ../aiohttp",
        "--index-url https://example.org",
    ],
)
def test_a_requirement_that_is_not_pinned_is_found(line: str) -> None:
    """Anything could come instead of it."""
    assert list(problems_in(line))


def test_this_repository_has_none_of_these() -> None:
    """As `poe check` says, too."""
    assert (secret_scan.main(), requirement_scan.main()) == (0, 0)
