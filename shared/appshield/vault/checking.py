"""`appshield vault check`: does a Vault do what AppShield needs? One named line for each need."""

import contextlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from appshield.errors import AppShieldError, NotFoundError
from appshield.objectstore import ObjectExistsError, ObjectStore, S3ObjectStore
from appshield.vault.access import VaultAccess
from appshield.vault.vault import Vault

CLOCK_SKEW_MAX_S = 15 * 60.0
"""S3 refuses requests whose time differs by more."""

PROBES = "check"
"""Folder of the Vault for what a check writes and removes."""


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
    """Try everything that AppShield needs from a Vault, and leave nothing behind."""
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
    return lines


def _written(store: ObjectStore) -> list[CheckLine]:
    probe = f"{PROBES}/{secrets.token_hex(16)}"
    content = secrets.token_bytes(4096)
    write = _line("write", lambda: store.put(probe, content))
    if not write.ok:
        return [write]
    lines = [
        write,
        _line("read back", lambda: _read_back(store, probe, content)),
        _line("find in a listing", lambda: _found(store, probe)),
        _line("write only if absent", lambda: _conditional(store, probe)),
        _line("delete", lambda: _deleted(store, probe)),
    ]
    with contextlib.suppress(AppShieldError):
        store.delete(probe)
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


def _read_back(store: ObjectStore, probe: str, content: bytes) -> None:
    if store.get(probe) != content:
        raise _WrongError("what came back is not what was written")
    if store.get(probe, offset=1000, length=96) != content[1000:1096]:
        raise _WrongError("a range that came back is not what was written there")
    if store.size(probe) != len(content):
        raise _WrongError("the size that is told is wrong")


def _found(store: ObjectStore, probe: str) -> None:
    if probe not in {found.name for found in store.list(PROBES)}:
        raise _WrongError("what was written is not listed")


def _conditional(store: ObjectStore, probe: str) -> None:
    with contextlib.suppress(ObjectExistsError):
        store.put(probe, b"", only_if_absent=True)
        raise _WrongError("If-None-Match is ignored: an object was overwritten that must not be")


def _deleted(store: ObjectStore, probe: str) -> None:
    store.delete(probe)
    if store.size(probe) is not None:
        raise _WrongError("what was deleted is still there")
