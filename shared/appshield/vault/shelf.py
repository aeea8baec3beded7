"""What a Vault keeps of one application, around its repository.

    applications/<id>/identity            who it is
    applications/<id>/key                 the password of its repository
    applications/<id>/recovery            what opens that without its config and key files
    applications/<id>/highest/<number>    the highest version number; the highest of these counts
    applications/<id>/pins/<number>       versions that retention must keep
    applications/<id>/check               what checks of the repository have found
    applications/<id>/staging/<run>/…     content on its way from snapshotter to uploader
    applications/<id>/repository/…        the restic repository, sealed by that password

Every call blocks, may come from any thread or process, and can raise what `SealedObjects.require`
and the object store raise.
"""

import contextlib
import hashlib
import secrets
from datetime import UTC, datetime

import msgspec

from appshield.errors import DamagedError, DeniedError, InvalidInputError, UnavailableError
from appshield.objectstore import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectStore,
    retaining,
    within,
)
from appshield.vault.access import ApplicationIdentity
from appshield.vault.sealed_objects import MARKER, SealedObjects

APPLICATIONS = "applications"

_LISTINGS_MAX = 10
"""How often a listing is repeated when what it named was replaced meanwhile."""


def repository_folder(app_id: str) -> str:
    """Name the folder of an application's repository in its Vault."""
    return f"{APPLICATIONS}/{app_id}/repository"


class _Highest(msgspec.Struct, frozen=True):
    number: int


class _Pin(msgspec.Struct, frozen=True):
    number: int
    by: str
    at: datetime


class ApplicationShelf:
    """The objects of one application."""

    def __init__(self, objects: SealedObjects, app_id: str) -> None:
        if "/" in app_id:
            raise InvalidInputError(f"{app_id!r} cannot be the id of an application")
        self.app_id = app_id
        self._objects = objects
        self._folder = f"{APPLICATIONS}/{app_id}"
        self._repository = within(objects.store, repository_folder(app_id))

    def __repr__(self) -> str:
        return f"<shelf of {self.app_id} in Vault {self._objects.vault_name}>"

    @property
    def repository_store(self) -> ObjectStore:
        """Where the repository is."""
        return self._repository

    def write_identity(self, identity: ApplicationIdentity) -> None:
        """Record who the application is; the same again changes nothing."""
        if identity.app_id != self.app_id:
            raise InvalidInputError(
                f"{identity.app_id} does not belong on the shelf of {self.app_id}"
            )
        if identity != self.identity():
            content = msgspec.json.encode(identity)
            self._objects.put(f"{self._folder}/identity", content, purpose="identity")

    def identity(self) -> ApplicationIdentity | None:
        """Return who the application is, None before that was written."""
        content = self._objects.find(f"{self._folder}/identity", purpose="identity")
        return None if content is None else msgspec.json.decode(content, type=ApplicationIdentity)

    def repository_password(self) -> str:
        """Return the repository's password, made at the first call of anybody.

        Raises:
            DamagedError: the password is gone although there is a repository that needs it.
        """
        name = f"{self._folder}/key"
        known = self._objects.find(name, purpose="repository password")
        if known is not None:
            return known.decode()
        if self._repository.size("config") is not None:
            raise DamagedError(
                f"the repository of {self.app_id} in Vault {self._objects.vault_name} is locked",
                why=f"its sealed password {name} is missing",
                next_step="Bring that object back from a copy of the bucket",
            )
        made = secrets.token_urlsafe(32).encode()
        with contextlib.suppress(ObjectExistsError):
            self._objects.put(name, made, purpose="repository password", only_if_absent=True)
        return self._objects.get(name, purpose="repository password").decode()

    def recovery(self) -> bytes | None:
        """Return what opens the repository without its small files, None where that was not kept.

        Raises:
            DamagedError: it is not what was kept.
        """
        return self._objects.find(f"{self._folder}/recovery", purpose="recovery")

    def keep_recovery(self, content: bytes) -> None:
        """Keep what opens the repository without its small files."""
        self._objects.put(f"{self._folder}/recovery", content, purpose="recovery")

    def retain(self) -> None:
        """Keep, where the Vault keeps objects, what opens the repository as long as what is in it.

        To be called before a new version exists.
        """
        store = retaining(self._objects.store)
        if store is not None:
            for name in ("identity", "key", "recovery"):
                with contextlib.suppress(ObjectMissingError):  # an identity may not be known yet
                    store.retain(f"{self._folder}/{name}")
            store.retain(MARKER)

    def highest_version(self) -> int:
        """Return the highest version number that was ever given, 0 before the first."""
        for _ in range(_LISTINGS_MAX):
            highest = max(self._numbers("highest"), default=0)
            if not highest:
                return 0
            name = f"{self._folder}/highest/{highest}"
            with contextlib.suppress(ObjectMissingError):  # a higher one has replaced it
                sealed = self._objects.get(name, purpose="highest")
                return msgspec.json.decode(sealed, type=_Highest).number
        raise UnavailableError(f"the highest version of {self.app_id} does not stay still")

    def raise_highest_version(self, number: int) -> None:
        """Record that `number` was given; a higher number that is on record stays the highest."""
        if number <= self.highest_version():
            return
        content = msgspec.json.encode(_Highest(number))
        self._objects.put(f"{self._folder}/highest/{number}", content, purpose="highest")
        for lower in self._numbers("highest"):
            if lower < number:
                with contextlib.suppress(DeniedError):  # whoever may not delete leaves it
                    self._objects.store.delete(f"{self._folder}/highest/{lower}")

    def pins(self) -> frozenset[int]:
        """Return the numbers of the pinned versions."""
        return frozenset(self._numbers("pins"))

    def pin(self, number: int, *, by: str) -> None:
        """Keep a version from expiring; whoever pinned it first stays on record."""
        content = msgspec.json.encode(_Pin(number, by, datetime.now(UTC)))
        with contextlib.suppress(ObjectExistsError):
            name = f"{self._folder}/pins/{number}"
            self._objects.put(name, content, purpose="pin", only_if_absent=True)

    def unpin(self, number: int) -> None:
        """Let a version expire again; it is no error when it was not pinned."""
        self._objects.require()
        self._objects.store.delete(f"{self._folder}/pins/{number}")

    def write_check(self, content: bytes) -> None:
        """Record what checks have found, in place of what was recorded before."""
        self._objects.put(f"{self._folder}/check", content, purpose="check")

    def last_check(self) -> bytes | None:
        """Return what checks have found, None before the first."""
        return self._objects.find(f"{self._folder}/check", purpose="check")

    def stage(self, run: str, content: bytes) -> str:
        """Keep content for a later step of a run; return its SHA-256, by which it is found."""
        digest = hashlib.sha256(content).hexdigest()
        self._objects.put(self._staged_name(run, digest), content, purpose="staging")
        return digest

    def staged(self, run: str, sha256: str) -> bytes:
        """Return content that was staged.

        Raises:
            ObjectMissingError: the run staged no such content, or has ended.
        """
        content = self._objects.get(self._staged_name(run, sha256), purpose="staging")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DamagedError(f"what run {run} staged is not what its digest {sha256} says")
        return content

    def staging(self) -> list[str]:
        """List the runs of which something is staged."""
        self._objects.require()
        return sorted(self._objects.store.folders(f"{self._folder}/staging"))

    def unstage(self, run: str) -> None:
        """Remove all that a run has staged."""
        self._objects.require()
        for found in list(self._objects.store.list(f"{self._folder}/staging/{run}")):
            self._objects.store.delete(found.name)

    def _staged_name(self, run: str, sha256: str) -> str:
        """Hide the digest: that of a short secret would tell it to whoever can list."""
        alias = self._objects.seal.alias(sha256, purpose="names of staged content")
        return f"{self._folder}/staging/{run}/{alias}"

    def _numbers(self, kind: str) -> list[int]:
        self._objects.require()
        names = (found.name for found in self._objects.store.list(f"{self._folder}/{kind}"))
        last = (name.rpartition("/")[2] for name in names)
        return [int(text) for text in last if text.isascii() and text.isdecimal()]
