"""Opening a repository whose config or key files are lost or damaged, and writing those anew.

Everything hangs on these small files: the key that seals all else is in the key files alone. So
whoever keeps the password keeps a `Recovery`, too: the key and the config once more. It is no part
of restic's format; what is written anew from it is.
"""

import contextlib
from typing import Self

import msgspec

from appshield.errors import DamagedError, DeniedError
from appshield.objectstore import ObjectMissingError, ObjectRetainedError, ObjectStore
from appshield.repository.config import RepositoryConfig, open_config, seal_config
from appshield.repository.crypto import SealingKey
from appshield.repository.keys import KeyParts, make_key_file, open_key_file, read_key_file
from appshield.repository.layout import CONFIG, file_id, file_name, list_files
from appshield.repository.repository import Repository


class Recovery(msgspec.Struct, frozen=True):
    """What opens a repository without its config and key files; a secret as its password is."""

    key: KeyParts
    config: RepositoryConfig

    @classmethod
    def of(cls, repository: Repository) -> Self:
        """Take what is to be kept of a repository."""
        return cls(KeyParts.of(repository.key), repository.config)

    def open(self, store: ObjectStore) -> Repository:
        """Open the repository; asks the store nothing."""
        return Repository(store, self.key.key(), self.config)


def mend(repository: Repository, password: str) -> tuple[str, ...]:
    """Write anew what does not open the repository with `password`; return what was changed.

    Damaged key files are removed where that is allowed; whole ones of other passwords stay. Any
    number may do it at once, beside any other work: what is written opens the same repository.

    Raises:
        InvalidInputError: the config is of another version of the format.
    """
    return (*_mend_key_files(repository, password), *_mend_config(repository))


def _mend_key_files(repository: Repository, password: str) -> tuple[str, ...]:
    store, key = repository.store, repository.key
    damaged: list[str] = []
    opens = False
    for identity, _ in list_files(store, "keys"):
        try:
            stored = read_key_file(store, identity)
        except ObjectMissingError:
            continue  # somebody has just removed that password
        except DamagedError:
            damaged.append(file_name("keys", identity))
        else:
            opens = opens or _opens(stored, password, key)
    changed: list[str] = []
    if not opens:
        stored = make_key_file(key, password)
        changed.append(file_name("keys", file_id(stored)))
        store.put(changed[0], stored)
    for name in damaged:
        with contextlib.suppress(ObjectRetainedError, DeniedError):  # it stays, and a check says so
            store.delete(name)
            changed.append(name)
    return tuple(changed)


def _mend_config(repository: Repository) -> tuple[str, ...]:
    try:
        open_config(repository.store.get(CONFIG), repository.key)
    except (ObjectMissingError, DamagedError):
        repository.store.put(CONFIG, seal_config(repository.config, repository.key))
        return (CONFIG,)
    return ()


def _opens(stored: bytes, password: str, key: SealingKey) -> bool:
    try:
        return KeyParts.of(open_key_file(stored, password)) == KeyParts.of(key)
    except (DamagedError, DeniedError):  # damage under a right name, or another password
        return False
