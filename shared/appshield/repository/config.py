"""The `config` file, and how a repository comes into being exactly once.

A repository needs a key file and a config sealed by the same key. Two creators at once must not
leave two keys, so they first agree: the first key file to be written as the claim object is the one
that both go on with. The claim is removed when there is a config; whoever claims after that sees
the config and gives up. Every step can be repeated, so a creator may die between any two.
"""

import contextlib
import secrets
from typing import Final, NamedTuple

import msgspec

from appshield.errors import DamagedError, DeniedError, InvalidInputError, UnavailableError
from appshield.objectstore import ObjectExistsError, ObjectMissingError, ObjectStore
from appshield.repository.crypto import SealingKey
from appshield.repository.keys import (
    WrongPasswordError,
    make_key_file,
    open_key_file,
    read_key_file,
)
from appshield.repository.layout import CONFIG, file_id, file_name, list_files
from appshield.repository.polynomial import random_polynomial

FORMAT_VERSION: Final = 2

CLAIM: Final = "appshield-creating"
"""The key file of a repository that is being created."""

MOST_ATTEMPTS: Final = 10


class RepositoryConfig(msgspec.Struct, frozen=True):
    """The content of `config`; the field names are restic's."""

    version: int
    id: str
    chunker_polynomial: str


def seal_config(config: RepositoryConfig, key: SealingKey) -> bytes:
    """Return the bytes of a config file."""
    return bytes(key.seal(msgspec.json.encode(config)))


def open_config(stored: bytes, key: SealingKey) -> RepositoryConfig:
    """Return the config.

    Raises:
        BrokenSealError: another key sealed it.
        InvalidInputError: the repository has a version that is not known here.
    """
    try:
        config = msgspec.json.decode(key.open(stored), type=RepositoryConfig)
    except msgspec.DecodeError as error:
        raise DamagedError("the repository's config cannot be read", why=str(error)) from error
    if config.version != FORMAT_VERSION:
        raise InvalidInputError(
            f"the repository has format version {config.version}",
            why=f"only version {FORMAT_VERSION} is supported",
            next_step="Upgrade an older one with `restic migrate upgrade_repo_v2`",
        )
    return config


class _KeyFile(NamedTuple):
    """A key file as it is stored, and the key in it, which takes a while to find."""

    stored: bytes
    key: SealingKey


def create_config(store: ObjectStore, password: str, *, polynomial: str = "") -> SealingKey | None:
    """Make the place a repository, and return the key that it was made with.

    None where it is one already. Its `polynomial` is random if empty.

    Raises:
        DeniedError: somebody else is creating it with another password.
    """
    key: SealingKey | None = None
    for _ in range(MOST_ATTEMPTS):
        if store.size(CONFIG) is not None:
            store.delete(CLAIM)
            return key
        claimed = _claim(store, password)
        if claimed is not None and store.size(CONFIG) is None:
            _create(store, claimed, polynomial)
            key = claimed.key
    raise UnavailableError("the repository is being created and removed again by others")


def _claim(store: ObjectStore, password: str) -> _KeyFile | None:
    """Return the key file that all creators go on with, None if they are done already."""
    mine = _key_file_there(store, password) or _new_key_file(password)
    try:
        store.put(CLAIM, mine.stored, only_if_absent=True)
    except ObjectExistsError:
        try:
            stored = store.get(CLAIM)
        except ObjectMissingError:
            return None
        return mine if stored == mine.stored else _opened(stored, password)
    return mine


def _new_key_file(password: str) -> _KeyFile:
    key = SealingKey.random()
    return _KeyFile(make_key_file(key, password), key)


def _opened(stored: bytes, password: str) -> _KeyFile:
    try:
        return _KeyFile(stored, open_key_file(stored, password))
    except WrongPasswordError as error:
        raise DeniedError(
            "the repository is being created with another password",
            next_step=f"If nobody is creating it, delete the object {CLAIM} and try again",
        ) from error


def _key_file_there(store: ObjectStore, password: str) -> _KeyFile | None:
    """Return the key file of a repository that has lost its config: all that is there needs it."""
    why = ""
    for identity, _ in list_files(store, "keys"):
        try:
            stored = read_key_file(store, identity)
            return _KeyFile(stored, open_key_file(stored, password))
        except ObjectMissingError:
            continue
        except (WrongPasswordError, DamagedError) as error:
            why = f"{file_name('keys', identity)}: {error}"
    if why:
        raise DeniedError(
            "the repository has lost its config, and the password opens none of its key files",
            why=why,
            next_step="Bring these files back from a copy of the bucket",
        )
    return None


def _create(store: ObjectStore, claimed: _KeyFile, polynomial: str) -> None:
    config = RepositoryConfig(
        version=FORMAT_VERSION,
        id=secrets.token_hex(32),
        chunker_polynomial=polynomial or f"{random_polynomial():x}",
    )
    store.put(file_name("keys", file_id(claimed.stored)), claimed.stored)
    with contextlib.suppress(ObjectExistsError):  # another creator was first, with the same key
        store.put(CONFIG, seal_config(config, claimed.key), only_if_absent=True)
