"""Open repositories, with the key itself where it was derived from the password lately.

The derivation is made to cost: a tenth of a second, and 32 MiB.
"""

import contextlib
import time

from appshield.errors import NotFoundError
from appshield.repository import Repository
from appshield.repository.crypto import BrokenSealError, SealingKey
from appshield.vault import ApplicationShelf

KEYS_KEPT_S = 600.0

Place = tuple[str, str]
"""A Vault by its name, and an application in it by its id."""


class Repositories:
    """Opens repositories; knows the keys of those that were opened lately. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Place, tuple[float, SealingKey]] = {}

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
        _, key = self._known.get(place, (0.0, None))
        repository = _with_key(shelf, key) or _with_password(shelf, create=create, like=like)
        self._known[place] = (now_s + KEYS_KEPT_S, repository.key)
        return repository


def _with_key(shelf: ApplicationShelf, key: SealingKey | None) -> Repository | None:
    """Open with a known key; None when there is none, or another repository stands there by now."""
    if key is not None:
        with contextlib.suppress(NotFoundError, BrokenSealError):
            return Repository.open_with_key(shelf.repository_store, key)
    return None


def _with_password(shelf: ApplicationShelf, *, create: bool, like: Repository | None) -> Repository:
    password = shelf.repository_password()
    try:
        return Repository.open(shelf.repository_store, password)
    except NotFoundError:
        if not create:
            raise
    return Repository.create(shelf.repository_store, password, like=like)
