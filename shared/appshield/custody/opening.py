"""Open repositories, again with the key that was derived from the password lately.

The derivation is made to cost: a tenth of a second, and 32 MiB. What was read of snapshots and
indexes stays known with the key, up to `KNOWN_BYTES` of all repositories together.
"""

import contextlib
import time
from typing import Protocol

import msgspec

from appshield.errors import DamagedError, DeniedError, NotFoundError
from appshield.objectstore import ObjectStore
from appshield.repository import Repository
from appshield.repository.crypto import BrokenSealError
from appshield.repository.recovering import Recovery, mend
from appshield.vault import ApplicationShelf

KNOWN_S = 600.0
KNOWN_BYTES = 4 << 20
KNOWN_FILES_MAX = 128
"""Of so many repositories files stay known: an index keeps a descriptor open."""

Place = tuple[str, str]
"""A Vault by its name, and an application in it by its id."""


class RepositoryKey(Protocol):
    """What opens a repository: an application's shelf, or what an agent is lent of it."""

    @property
    def repository_store(self) -> ObjectStore:
        """Where the repository is."""
        ...

    def repository_password(self) -> str:
        """Return the repository's password."""
        ...

    def recovery(self) -> bytes | None:
        """Return what opens the repository without its small files, None where that is unknown."""
        ...


class Repositories:
    """Opens repositories; knows those that were opened lately. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Place, tuple[float, Repository]] = {}  # the last used one last

    def open(
        self,
        place: Place,
        shelf: ApplicationShelf,
        *,
        create: bool = False,
        like: Repository | None = None,
    ) -> Repository:
        """Open a repository; with `create` a missing one is made, as `Repository.create` says.

        Raises:
            NotFoundError: there is none.
        """
        now_s = time.monotonic()
        for other, (until_s, _) in list(self._known.items()):
            if until_s < now_s:
                self._known.pop(other, None)
        _, known = self._known.get(place, (0.0, None))
        repository = _again(shelf, known) or (
            _open_or_create(shelf, like) if create else open_repository(shelf)
        )
        self._known.pop(place, None)
        self._known[place] = (now_s + KNOWN_S, repository)
        self._forget_files()
        return repository.anew()

    def _forget_files(self) -> None:
        """Forget what is in files of those repositories that were used longest ago."""
        size_bytes = 0
        for number, (_, repository) in enumerate(reversed(list(self._known.values()))):
            size_bytes += repository.known.size_bytes
            if size_bytes > KNOWN_BYTES or number >= KNOWN_FILES_MAX:
                repository.known.forget()


def _again(shelf: ApplicationShelf, known: Repository | None) -> Repository | None:
    """Open a known one; None when there is none, or another repository stands there by now."""
    if known is not None:
        with contextlib.suppress(NotFoundError, BrokenSealError):
            return known.again(shelf.repository_store)
    return None


def open_repository(key: RepositoryKey) -> Repository:
    """Open the repository of an application, also when its config or key files are damaged or lost.

    Raises:
        NotFoundError: there is none.
        DamagedError: nor is it known what would open it without them.
    """
    try:
        return Repository.open(key.repository_store, key.repository_password())
    except (NotFoundError, DamagedError, DeniedError):
        recovered = _recovered(key)
        if recovered is None:
            raise
        return recovered


def mend_repository(shelf: ApplicationShelf, repository: Repository) -> tuple[str, ...]:
    """Write config and key files anew where they are damaged or lost; return what was changed.

    Raises:
        DamagedError: the sealed password is damaged or lost.
    """
    _keep_recovery(shelf, repository)
    return mend(repository, shelf.repository_password())


def _open_or_create(shelf: ApplicationShelf, like: Repository | None) -> Repository:
    """Open a repository that is to be written, and leave behind what opens it whatever is lost."""
    store, password = shelf.repository_store, shelf.repository_password()
    try:
        repository = Repository.open(store, password)
    except (NotFoundError, DamagedError, DeniedError) as error:
        recovered = _recovered(shelf)
        if recovered is not None:
            repository = recovered
            mend(repository, password)
        elif isinstance(error, NotFoundError):
            repository = Repository.create(store, password, like=like)
        else:
            raise
    _keep_recovery(shelf, repository)
    return repository


def _recovered(key: RepositoryKey) -> Repository | None:
    """Open with what is kept; None where that is nothing, or nothing is left of the repository."""
    recovery = _recovery(key)
    if recovery is None or next(iter(key.repository_store.list("")), None) is None:
        return None
    return recovery.open(key.repository_store)


def _keep_recovery(shelf: ApplicationShelf, repository: Repository) -> None:
    recovery = Recovery.of(repository)
    if _recovery(shelf) != recovery:
        shelf.keep_recovery(msgspec.json.encode(recovery))


def _recovery(key: RepositoryKey) -> Recovery | None:
    try:
        kept = key.recovery()
        return None if kept is None else msgspec.json.decode(kept, type=Recovery)
    except (DamagedError, msgspec.MsgspecError):
        return None
