"""`appshield vault check`: does a Vault do what AppShield needs? One named line for each need.

The lines also say what the store can do: whether it has conditional writes, keeps versions, can
keep objects from being deleted, and lets this key delete.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from appshield.errors import AppShieldError, DeniedError, NotFoundError
from appshield.objectstore import (
    ObjectExistsError,
    ObjectRetainedError,
    ObjectStore,
    Retention,
    S3ObjectStore,
)
from appshield.objectstore.bucket import BucketFacts, probe, require_object_lock
from appshield.vault.access import DAY_S, VaultAccess
from appshield.vault.vault import Vault

CLOCK_SKEW_MAX_S = 15 * 60.0
"""S3 refuses requests whose time differs by more."""

PROBES = "check"
"""Folder of the Vault for what a check writes and removes."""


KEPT_S = 4.0
"""So long the object is kept with which object lock is tried."""

KEPT_MAX_S = 60.0
"""An object that still cannot be deleted then is kept by something else."""


class CheckLine(msgspec.Struct, frozen=True):
    """One thing that was tried."""

    name: str
    ok: bool
    detail: str


class VaultReport(msgspec.Struct, frozen=True):
    """What a check found."""

    vault: str
    lines: tuple[CheckLine, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it must be."""
        return all(line.ok for line in self.lines)


class _WrongError(AppShieldError):
    """The service answered, and the answer breaks a promise."""


def check_vault(access: VaultAccess) -> VaultReport:
    """Try everything that AppShield needs from a Vault.

    Nothing is left behind but the empty object by which conditional writes are tried.
    """
    store = S3ObjectStore(access.location, access.credentials)
    try:
        return VaultReport(access.name, tuple(_lines(store, access)))
    finally:
        store.close()


def _lines(store: S3ObjectStore, access: VaultAccess) -> list[CheckLine]:
    reached = _line("reach the bucket", lambda: _clock(store))
    if not reached.ok:
        return [reached]
    lines = [reached, _line("root key", lambda: _root_key(store, access))]
    lines.append(_line("list", lambda: _listing(store)))
    if not access.read_only:
        lines.extend(_written(store))
    if not access.read_only and all(line.ok for line in lines):
        lines.append(_line("versions", lambda: _versions(store)))
        lines.append(_line("object lock", lambda: _object_lock(access)))
        lines.append(_line("key of agents", lambda: _agents(store, access)))
    return lines


def _written(store: S3ObjectStore) -> list[CheckLine]:
    name = f"{PROBES}/{secrets.token_hex(16)}"
    content = secrets.token_bytes(4096)
    write = _line("write", lambda: store.put(name, content))
    if not write.ok:
        return [write]
    lines = [
        write,
        _line("read back", lambda: _read_back(store, name, content)),
        _line("find in a listing", lambda: _found(store, name)),
        _line("write only if absent", lambda: _conditional(store, name)),
        _line("delete", lambda: _deleted(store, name)),
    ]
    with contextlib.suppress(AppShieldError):
        store.delete(name)
    return lines


def _line(name: str, attempt: Callable[[], str | None]) -> CheckLine:
    try:
        return CheckLine(name, ok=True, detail=attempt() or "")
    except AppShieldError as error:
        return CheckLine(name, ok=False, detail=str(error))


def _clock(store: S3ObjectStore) -> str:
    told = store.server_time()
    if told is None:
        return "the service does not tell its time"
    ahead_s = (told - datetime.now(UTC)).total_seconds()
    if abs(ahead_s) > CLOCK_SKEW_MAX_S:
        raise _WrongError(f"the clocks differ by {abs(ahead_s):.0f} s", next_step="Set them right")
    return f"clocks agree within {abs(ahead_s):.0f} s"


def _root_key(store: ObjectStore, access: VaultAccess) -> str:
    try:
        return f"opens Vault {Vault(store, access.root_key, access.name).vault_id()}"
    except NotFoundError:
        return "the Vault is not set up yet"


def _listing(store: ObjectStore) -> None:
    for _ in store.list(PROBES):
        return


def _read_back(store: ObjectStore, name: str, content: bytes) -> None:
    if store.get(name) != content:
        raise _WrongError("what came back is not what was written")
    if store.get(name, offset=1000, length=96) != content[1000:1096]:
        raise _WrongError("a range that came back is not what was written there")
    if store.size(name) != len(content):
        raise _WrongError("the size that is told is wrong")


def _found(store: ObjectStore, name: str) -> None:
    if name not in {found.name for found in store.list(PROBES)}:
        raise _WrongError("what was written is not listed")


def _conditional(store: S3ObjectStore, name: str) -> str:
    with contextlib.suppress(ObjectExistsError):
        store.put(name, b"", only_if_absent=True)
        raise _WrongError("an object was overwritten that must not be")
    if store.conditional_writes():
        return "the service keeps the condition"
    return "the service has no conditional writes: writers take turns"


def _deleted(store: ObjectStore, name: str) -> str:
    store.delete(name)
    if store.size(name) is not None:
        raise _WrongError("what was deleted is still there")
    return "this key may delete"


def _versions(store: S3ObjectStore) -> str:
    if store.keeps_versions():
        return "the bucket keeps versions; deleting removes all of them"
    return "the bucket keeps no versions"


def _object_lock(access: VaultAccess) -> str:
    """Keep an object for a moment, where the Vault asks for that, and see that it is kept."""
    facts = asyncio.run(probe(access.location, access.credentials))
    if access.retention is None:
        return _could_keep(facts)
    require_object_lock(facts, access.location)
    name = f"{PROBES}/{secrets.token_hex(16)}"
    short = Retention(access.retention.mode, KEPT_S, names=(name,))
    store = S3ObjectStore(access.location, access.credentials, retention=short)
    try:
        store.put(name, b"")
        with contextlib.suppress(ObjectRetainedError):
            store.delete(name)
            raise _WrongError(
                "an object was deleted that had to be kept",
                next_step="See that this key has no right to bypass retention",
            )
        _delete_later(store, name)
    finally:
        store.close()
    days = access.retention.lasts_s / DAY_S
    return f"objects are kept for {days:g} days, mode {access.retention.mode}"


def _agents(store: S3ObjectStore, access: VaultAccess) -> str:
    """Write and read as agents do, and see that they cannot delete, where they have a key."""
    if access.agent_credentials is None:
        return "none: agents are lent the Vault's own"
    name, content = f"{PROBES}/repository/{secrets.token_hex(16)}", secrets.token_bytes(32)
    theirs = S3ObjectStore(access.location, access.agent_credentials)
    try:
        theirs.put(name, content)
        _read_back_of(theirs, name, content)
        with contextlib.suppress(DeniedError):
            theirs.delete(name)
            raise _WrongError(
                "the key of agents may delete", next_step="Take the right to delete from it"
            )
    finally:
        theirs.close()
        with contextlib.suppress(AppShieldError):
            store.delete(name)
    return "lists, reads, writes, and may not delete"


def _read_back_of(store: S3ObjectStore, name: str, content: bytes) -> None:
    if store.get(name) != content:
        raise _WrongError("what came back is not what was written")
    if name not in {found.name for found in store.list(name.rpartition("/")[0])}:
        raise _WrongError("what was written is not listed")


def _could_keep(facts: BucketFacts) -> str:
    if facts.default_retention:
        raise _WrongError(
            "the bucket keeps every object for some time: no lock of a repository can be removed",
            next_step="Remove the default retention from the bucket",
        )
    if facts.object_lock:
        return "not asked for; the bucket can keep objects"
    return "not asked for" if facts.object_lock is None else "not asked for, and not possible"


def _delete_later(store: S3ObjectStore, name: str) -> None:
    """Remove what was kept for a moment."""
    pause_s, last = KEPT_S, time.monotonic() + KEPT_MAX_S
    while True:
        time.sleep(pause_s)  # first until the date, then growing a little
        try:
            store.delete(name)
        except ObjectRetainedError:
            if time.monotonic() > last:
                raise
            pause_s = min(pause_s / 4 + 1.0, KEPT_S)
        else:
            return
