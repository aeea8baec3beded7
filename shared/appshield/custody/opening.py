"""Open repositories, again with the key that was derived from the password lately.

The derivation is made to cost: a tenth of a second, and 32 MiB. Documents of snapshots stay known
with the key.
"""

import contextlib
import time

from appshield.errors import NotFoundError
from appshield.repository import Repository
from appshield.repository.crypto import BrokenSealError
from appshield.vault import ApplicationShelf

KNOWN_S = 600.0

Place = tuple[str, str]
"""A Vault by its name, and an application in it by its id."""


class Repositories:
    """Opens repositories; knows those that were opened lately. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Place, tuple[float, Repository]] = {}

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
        repository = _again(shelf, known) or _with_password(shelf, create=create, like=like)
        self._known[place] = (now_s + KNOWN_S, repository)
        return repository.anew()


def _again(shelf: ApplicationShelf, known: Repository | None) -> Repository | None:
    """Open a known one; None when there is none, or another repository stands there by now."""
    if known is not None:
        with contextlib.suppress(NotFoundError, BrokenSealError):
            return known.again(shelf.repository_store)
    return None


def _with_password(shelf: ApplicationShelf, *, create: bool, like: Repository | None) -> Repository:
    password = shelf.repository_password()
    try:
        return Repository.open(shelf.repository_store, password)
    except NotFoundError:
        if not create:
            raise
    return Repository.create(shelf.repository_store, password, like=like)
