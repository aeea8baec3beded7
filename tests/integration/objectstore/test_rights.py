"""Keys that may not do everything, on the real server: each lack is one clear error."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from appshield.errors import DamagedError, DeniedError, NotFoundError
from appshield.local.embedded.object_store import EmbeddedObjectStore, _Access, _Identity, _Key
from appshield.local.embedded.private_file import write_private
from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore, S3Patience, within
from appshield.objectstore.bucket import ensure_bucket
from appshield.repository import Repository, check
from appshield.vault import VaultAccess, check_vault, new_root_key, open_vault
from repository_content import PASSWORD, back_up, noise

KEYS = {
    "all": ("Admin", "Read", "List", "Tagging", "Write"),
    "reader": ("Read", "List"),
    "blind": ("Read", "Write"),
    "user": ("Read", "List", "Write"),
}
ONCE = S3Patience(attempts=1)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedObjectStore]:
    """A server with four keys; the first may do everything."""
    folder = tmp_path_factory.mktemp("rights")
    identities = tuple(
        _Identity(name, (_Key(f"key-{name}", f"secret-of-{name}"),), actions)
        for name, actions in KEYS.items()
    )
    write_private(folder / "access.json", _Access(identities))
    async with EmbeddedObjectStore(folder) as running:
        yield running


def credentials(name: str) -> S3Credentials:
    return S3Credentials(f"key-{name}", f"secret-of-{name}")


def access(server: EmbeddedObjectStore, name: str, prefix: str) -> VaultAccess:
    return VaultAccess("main", server.location(prefix=prefix), credentials(name), new_root_key())


def store(server: EmbeddedObjectStore, name: str, prefix: str = "rights") -> S3ObjectStore:
    return S3ObjectStore(server.location(prefix=prefix), credentials(name), patience=ONCE)


def test_a_key_that_may_only_read_reads_and_says_what_it_may_not(
    server: EmbeddedObjectStore,
) -> None:
    """Writing and deleting are denied by name, and the object stays."""
    store(server, "all").put("x", b"content")
    reader = store(server, "reader")
    assert reader.get("x") == b"content"
    with pytest.raises(DeniedError, match=r"denies access key key-reader to write.*s3:PutObject"):
        reader.put("y", b"")
    with pytest.raises(DeniedError, match=r"denies access key key-reader to delete.*DeleteObject"):
        reader.delete("x")
    assert reader.get("x") == b"content"


def test_a_key_that_may_not_list_says_so(server: EmbeddedObjectStore) -> None:
    """An empty answer would be an empty repository."""
    with pytest.raises(DeniedError, match=r"denies access key key-blind to list.*s3:ListBucket"):
        list(store(server, "blind").list(""))


def test_the_check_of_a_vault_names_the_right_that_is_missing(server: EmbeddedObjectStore) -> None:
    """One line failed, with the right in it."""
    report = check_vault(access(server, "reader", "checked"))
    failed = [line for line in report.lines if not line.ok]
    assert [line.name for line in failed] == ["write"]
    assert "s3:PutObject" in failed[0].detail
    report = check_vault(access(server, "blind", "checked"))
    failed = [line for line in report.lines if not line.ok]
    assert [line.name for line in failed] == ["reach the bucket"]
    assert "s3:ListBucket" in failed[0].detail
    assert check_vault(access(server, "user", "checked")).ok


async def test_a_bucket_that_a_key_may_not_make_is_not_made(server: EmbeddedObjectStore) -> None:
    """The error says whose right is missing, and what else can be done."""
    location = S3Location(server.location().endpoint, "not-there-yet")
    with pytest.raises(DeniedError, match="not-there-yet") as raised:
        await ensure_bucket(location, credentials("reader"))
    assert "key-reader" in str(raised.value)
    assert "secret-of" not in str(raised.value)


def test_foreign_objects_in_the_bucket_are_in_nobodys_way(server: EmbeddedObjectStore) -> None:
    """Beside a Vault and in a repository; the check names those in it as what they are."""
    own = access(server, "user", "shared")
    vault = open_vault(own)
    vault.initialize()
    plain = store(server, "all", "shared")
    plain.put("holiday.jpg", b"?")
    plain.put("applications/readme.txt", b"?")
    repository_store = within(plain, "applications/a-1/repository")
    back_up(repository_store, {b"a": noise(10_000)})
    repository_store.put("data/holiday.jpg", b"?")
    repository_store.put("snapshots/readme", b"?")
    assert vault.vault_id()
    report = check(Repository.open(repository_store, PASSWORD), read_data=True)
    assert report.is_sound
    assert {finding.file for finding in report.warnings} >= {"data/holiday.jpg", "snapshots/readme"}


def test_something_else_in_place_of_a_vaults_marker_is_damage(server: EmbeddedObjectStore) -> None:
    """It is neither overwritten nor believed."""
    store(server, "all", "foreign").put("vault.json", b'{"a": "file of somebody else"}')
    vault = open_vault(access(server, "user", "foreign"))
    with pytest.raises(DamagedError, match=r"vault\.json .* not what AppShield wrote"):
        vault.initialize()
    assert store(server, "all", "foreign").get("vault.json").startswith(b'{"a"')
    empty = msgspec.structs.replace(
        access(server, "user", "x"), location=server.location(prefix="empty")
    )
    with pytest.raises(NotFoundError, match="not set up"):
        open_vault(empty).vault_id()


def test_the_key_of_agents_writes_into_repositories_and_deletes_nothing(
    server: EmbeddedObjectStore,
) -> None:
    """Nor reads what lies beside them; the installation's own key does all of it."""
    own = store(server, "all", "agents")
    own.put("applications/a-1/key", b"sealed")
    own.put("applications/a-1/repository/config", b"config")
    around, repository = (
        S3ObjectStore(
            server.location(prefix=f"agents/applications/a-1{folder}"),
            server.agent_credentials,
            patience=ONCE,
        )
        for folder in ("", "/repository")
    )
    repository.put("data/00/0", b"pack", only_if_absent=True)
    assert repository.get("data/00/0") == b"pack"
    assert repository.get("config") == b"config"
    assert [one.name for one in repository.list("data")] == ["data/00/0"]
    for name in ("repository/data/00/0", "repository/config", "key"):
        with pytest.raises(DeniedError, match="DeleteObject"):
            around.delete(name)
    with pytest.raises(DeniedError):
        around.get("key")
    with pytest.raises(DeniedError):
        around.put("key", b"another")
    assert own.get("applications/a-1/key") == b"sealed"
    own.delete("applications/a-1/repository/data/00/0")


def test_the_check_of_a_vault_tells_whether_agents_may_delete(server: EmbeddedObjectStore) -> None:
    """They should not; without a key of theirs they are lent the Vault's."""
    plain = access(server, "user", "for-agents")
    good = msgspec.structs.replace(plain, agent_credentials=server.agent_credentials)
    bad = msgspec.structs.replace(plain, agent_credentials=credentials("user"))
    blind = msgspec.structs.replace(plain, agent_credentials=credentials("blind"))
    told = {
        name: next(line for line in check_vault(one).lines if line.name == "key of agents")
        for name, one in {"none": plain, "good": good, "bad": bad, "blind": blind}.items()
    }
    assert {name: line.ok for name, line in told.items()} == {
        "none": True,
        "good": True,
        "bad": False,
        "blind": False,
    }
    assert "lent the Vault's own" in told["none"].detail
    assert "Take the right to delete from it" in told["bad"].detail
    assert "s3:ListBucket" in told["blind"].detail


async def test_a_store_of_an_older_release_gets_a_key_for_agents(tmp_path: Path) -> None:
    """Its own key stays as it was."""
    before = _Access((_Identity("appshield", (_Key("known", "known-secret"),)),))
    write_private(tmp_path / "access.json", before)
    made = EmbeddedObjectStore(tmp_path)._read_or_make_keys()
    assert made["appshield"] == S3Credentials("known", "known-secret")
    assert made["agents"].access_key != "known"
    assert EmbeddedObjectStore(tmp_path)._read_or_make_keys() == made
