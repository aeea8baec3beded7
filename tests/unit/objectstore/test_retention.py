"""How long objects are kept, and which ones."""

from datetime import UTC, datetime, timedelta

import pytest

from appshield.objectstore import (
    MemoryObjectStore,
    ObjectMissingError,
    ObjectRetainedError,
    Retention,
    S3Access,
    S3Credentials,
    S3Location,
    access_of,
    open_store,
    retaining,
    within,
)
from appshield.objectstore.retention import MARGIN, kept_until
from appshield.vault import vault_retention

RETENTION = vault_retention("governance", 10)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
HEX = "ab" * 32


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def day(self, number: float) -> None:
        self.now = BEGIN + timedelta(days=number)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("config", True),
        (f"keys/{HEX}", True),
        (f"data/ab/{HEX}", True),
        (f"index/{HEX}", True),
        (f"snapshots/{HEX}", True),
        (f"locks/{HEX}", False),
        ("appshield-creating", False),
        ("vault.json", True),
        ("applications/a-1/identity", True),
        ("applications/a-1/key", True),
        ("applications/a-1/recovery", True),
        (f"applications/a-1/repository/data/ab/{HEX}", True),
        (f"applications/a-1/repository/locks/{HEX}", False),
        ("applications/a-1/highest/7", False),
        ("applications/a-1/pins/7", False),
        (f"applications/a-1/staging/b-1/{HEX[:32]}", False),
        (f"check/{HEX}", False),
    ],
)
def test_what_a_version_needs_is_kept_and_what_comes_and_goes_is_not(
    name: str, *, kept: bool
) -> None:
    """By the names in a repository and around it."""
    assert RETENTION.covers(name) is kept


def test_an_object_is_kept_from_the_moment_it_is_written() -> None:
    """It cannot be deleted before, it can afterwards, and the error says when."""
    clock = Clock()
    store = MemoryObjectStore(retention=RETENTION, now=clock)
    store.put("config", b"x")
    clock.day(9.9)
    with pytest.raises(ObjectRetainedError, match=r"config .* kept until 2026-11-12") as raised:
        store.delete("config")
    assert raised.value.until == BEGIN + timedelta(days=10 * (1 + MARGIN))
    assert store.get("config") == b"x"
    clock.day(11.1)
    store.delete("config")
    assert store.size("config") is None


def test_what_is_needed_again_is_kept_again_and_seldom_anew() -> None:
    """An extension lasts a little longer than asked, so that the next one is not needed at once."""
    clock = Clock()
    store = MemoryObjectStore(retention=RETENTION, now=clock)
    store.put("config", b"x")
    clock.day(0.5)
    store.retain("config")
    assert store._kept_until["config"] == BEGIN + timedelta(days=11)
    clock.day(2)
    store.retain("config")
    assert store._kept_until["config"] == BEGIN + timedelta(days=13)
    store.put("locks/1", b"")
    store.retain("locks/1")
    store.delete("locks/1")
    with pytest.raises(ObjectMissingError):
        store.retain("keys/1")


def test_a_part_of_a_store_keeps_what_the_store_keeps() -> None:
    """A view passes it on; a store that keeps nothing says so."""
    store = MemoryObjectStore(retention=RETENTION)
    view = retaining(within(store, "applications/a-1/repository"))
    assert view is not None
    view.put("config", b"x")
    view.retain("config")
    with pytest.raises(ObjectRetainedError):
        view.delete("config")
    assert retaining(MemoryObjectStore()) is None
    assert retaining(within(MemoryObjectStore(), "part")) is None


def test_a_store_that_is_opened_elsewhere_keeps_the_same() -> None:
    """A worker need not know."""
    access = S3Access(
        S3Location("http://127.0.0.1:1", "a-bucket"), S3Credentials("a", "b"), retention=RETENTION
    )
    again = access_of(within(open_store(access), "applications/a-1/repository"))
    assert isinstance(again, S3Access)
    assert again.retention == RETENTION


def test_dates_of_a_service_are_read_whatever_their_form() -> None:
    """With a zone, without one, with parts of a second; nonsense is no date."""
    moment = datetime(2026, 11, 24, 16, 21, 18, tzinfo=UTC)
    for text in ("2026-11-24T16:21:18Z", "2026-11-24T16:21:18", "2026-11-24T16:21:18.000Z"):
        assert kept_until(text) == moment
    assert kept_until("") is None


def test_a_retention_is_a_plain_value() -> None:
    """Days become seconds, once."""
    assert Retention("compliance", 86_400, ()).lasts_s == vault_retention("compliance", 1).lasts_s
