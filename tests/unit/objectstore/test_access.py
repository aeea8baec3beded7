"""How a store is opened again elsewhere."""

from pathlib import Path

import msgspec
import pytest

from appshield.errors import RefusedError
from appshield.objectstore import (
    FolderObjectStore,
    MemoryObjectStore,
    ObjectStore,
    S3Access,
    S3Credentials,
    S3Location,
    StoreAccess,
    access_of,
    open_store,
    within,
)

CREDENTIALS = S3Credentials("AK", "very-secret", "token-secret")
LOCATION = S3Location("http://127.0.0.1:1", "a-bucket", prefix="team")


def sent(store: ObjectStore) -> StoreAccess:
    """Return the access as another process gets it."""
    encoded = msgspec.json.encode(access_of(store))
    decoder: msgspec.json.Decoder[StoreAccess] = msgspec.json.Decoder(StoreAccess)
    return decoder.decode(encoded)


def test_a_part_of_a_folder_is_opened_elsewhere_as_it_is_here(tmp_path: Path) -> None:
    """Objects are found by the same names."""
    here = within(FolderObjectStore(tmp_path), "applications/a-1")
    here.put("data/object", b"content")
    assert open_store(sent(here)).get("data/object") == b"content"


def test_a_part_of_a_bucket_is_opened_elsewhere_with_the_same_right() -> None:
    """Location, key and the rule that nothing is written travel."""
    store = open_store(S3Access(LOCATION, CREDENTIALS, read_only_for="Vault old"))
    access = sent(within(within(store, "applications"), "a-1"))
    assert isinstance(access, S3Access)
    assert access.location.prefix == "team/applications/a-1/"
    assert access.credentials == CREDENTIALS
    with pytest.raises(RefusedError, match="Vault old is read only"):
        open_store(access).put("x", b"")


def test_a_store_in_memory_lives_here_alone() -> None:
    """There is nothing to send."""
    assert access_of(MemoryObjectStore()) is None
    assert access_of(within(MemoryObjectStore(), "part")) is None


def test_no_representation_of_an_access_shows_a_secret() -> None:
    """Whatever prints it."""
    access = S3Access(LOCATION, CREDENTIALS)
    assert "secret" not in repr(access).replace("secret_key=…", "")
    assert "secret" not in str(access).replace("secret_key=…", "")
