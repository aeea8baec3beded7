"""A Vault: set up once, by one root key."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import pytest

from appshield.errors import DamagedError, DeniedError, NotFoundError, RefusedError
from appshield.objectstore import MemoryObjectStore, S3Credentials, S3Location
from appshield.vault import ApplicationIdentity, Vault, VaultAccess, store_of

ROOT_KEY = bytes(range(32))
OTHER_KEY = bytes(32)


def test_setting_up_again_changes_nothing() -> None:
    """The Vault keeps its id."""
    store = MemoryObjectStore()
    Vault(store, ROOT_KEY, "main").initialize()
    marker = store.get("vault.json")
    Vault(store, ROOT_KEY, "main").initialize()
    assert store.get("vault.json") == marker
    assert Vault(store, ROOT_KEY, "main").vault_id()


def test_of_several_who_set_up_at_once_one_does() -> None:
    """All see the same id."""
    store = MemoryObjectStore()

    def set_up(_: int) -> str:
        vault = Vault(store, ROOT_KEY, "main")
        vault.initialize()
        return vault.vault_id()

    with ThreadPoolExecutor(8) as workers:
        assert len(set(workers.map(set_up, range(16)))) == 1


def test_a_wrong_root_key_is_denied_everywhere() -> None:
    """The message names the Vault and shows no key."""
    store = MemoryObjectStore()
    Vault(store, ROOT_KEY, "main").initialize()
    wrong = Vault(store, OTHER_KEY, "main")
    for ask in (wrong.initialize, wrong.applications, wrong.application("a-1").identity):
        with pytest.raises(DeniedError, match="root key does not open Vault main") as raised:
            ask()
        assert ROOT_KEY.hex() not in str(raised.value)
    assert len(list(store.list(""))) == 1


def test_a_vault_that_was_not_set_up_says_what_to_do() -> None:
    """It is told apart from an empty one."""
    with pytest.raises(NotFoundError, match="appshield vault add"):
        Vault(MemoryObjectStore(), ROOT_KEY, "main").applications()


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"appshield":"vault"}'])
def test_a_marker_that_is_something_else_is_damage(content: bytes) -> None:
    """It is never overwritten by setting up."""
    store = MemoryObjectStore()
    store.put("vault.json", content)
    with pytest.raises(DamagedError, match=r"vault\.json of Vault main"):
        Vault(store, ROOT_KEY, "main").initialize()
    assert store.get("vault.json") == content


def test_a_newer_format_is_refused() -> None:
    """Instead of guessed at."""
    store = MemoryObjectStore()
    Vault(store, ROOT_KEY, "main").initialize()
    marker = msgspec.json.decode(store.get("vault.json"))
    store.put("vault.json", msgspec.json.encode({**marker, "format": 2}))
    with pytest.raises(RefusedError, match="newer"):
        Vault(store, ROOT_KEY, "main").applications()


def test_applications_are_found_from_the_bucket_alone() -> None:
    """Those that were begun without an identity are left out."""
    store = MemoryObjectStore()
    vault = Vault(store, ROOT_KEY, "main")
    vault.initialize()
    minted_at = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
    identities = [
        ApplicationIdentity(f"a-{number}", "c", "n", f"app{number}", f"uid{number}", minted_at)
        for number in range(3)
    ]
    for identity in reversed(identities):
        vault.application(identity.app_id).write_identity(identity)
    vault.application("a-begun").repository_password()
    assert Vault(store, ROOT_KEY, "main").applications() == identities


def test_a_read_only_vault_refuses_to_write() -> None:
    """Before anything is asked of the service."""
    access = VaultAccess(
        "main",
        S3Location("http://127.0.0.1:1", "a-bucket"),
        S3Credentials("key", "a-secret"),
        ROOT_KEY,
        read_only=True,
    )
    store = store_of(access)
    with pytest.raises(RefusedError, match="Vault main is read only"):
        store.put("x", b"")
    with pytest.raises(RefusedError, match="Vault main is read only"):
        store.delete("x")


def test_access_shows_no_secret() -> None:
    """Neither the root key nor the secret key, on no path that prints."""
    root_key = b"root-key-that-nobody-may-read-32"
    access = VaultAccess(
        "main",
        S3Location("http://127.0.0.1:1", "a-bucket"),
        S3Credentials("key", "a-secret"),
        root_key,
    )
    for text in (repr(access), str(access), repr(access.__rich_repr__())):
        assert "a-secret" not in text
        assert "root-key-that" not in text
