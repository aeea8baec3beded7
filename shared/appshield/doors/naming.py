"""Which application `[NAMESPACE/]NAME` means: one history of versions, or a clear error. Pure.

A name may be in several namespaces, and a place may have had several histories: those of objects
that are gone (orphaned) stay, with their versions.
"""

import difflib
from collections.abc import Iterable, Sequence

import msgspec

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef, token
from appshield.errors import InvalidInputError, NotFoundError, RefusedError


class Wanted(msgspec.Struct, frozen=True):
    """What a person has written; an empty namespace means any."""

    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def fits(self, app: AppRef) -> bool:
        """Say whether an application's place is meant."""
        return app.name == self.name and self.namespace in {"", app.namespace}


def wanted(text: str, namespace: str = "") -> Wanted:
    """Read `[NAMESPACE/]NAME`.

    Raises:
        InvalidInputError: that is no name, or two different namespaces were given.
    """
    before, slash, name = text.rpartition("/")
    try:
        for part in (name, before or namespace) if slash or namespace else (name,):
            token(part)
    except ValueError as error:
        raise InvalidInputError(
            f"{text!r} names no application",
            why="names and namespaces consist of a-z, 0-9, '-' and '.'",
            next_step="Write it as NAME or NAMESPACE/NAME.",
        ) from error
    if before and namespace and before != namespace:
        raise InvalidInputError(
            f"{text} and -n {namespace} name two different namespaces",
            next_step="Give the namespace once.",
        )
    return Wanted(name=name, namespace=before or namespace)


def histories(
    records: Iterable[ApplicationRecord], want: Wanted, history: str = ""
) -> list[ApplicationRecord]:
    """Give every history of the one place that is meant: active first, then the youngest.

    With the beginning of an id as `history` only that one.

    Raises:
        NotFoundError: there is none; the error suggests names, or histories, that there are.
        InvalidInputError: the name is in several namespaces; the error lists them.
    """
    known = list(records)
    found = [record for record in known if want.fits(record.app)]
    if not found:
        raise _unknown(known, want)
    places = sorted({str(record.app) for record in found})
    if len(places) > 1:
        raise InvalidInputError(
            f"the name {want} is ambiguous",
            why=f"there are {', '.join(places)}",
            next_step="Write NAMESPACE/NAME, or add -n NAMESPACE.",
        )
    found.sort(key=_active_and_young_first)
    return [_one_of(found, history)] if history else found


def active(records: Iterable[ApplicationRecord], want: Wanted, cluster: str) -> ApplicationRecord:
    """Give the application that runs in this cluster now.

    Raises:
        RefusedError: its object is gone.
        NotFoundError, InvalidInputError: as `histories`.
    """
    found = histories(records, want)
    for record in found:
        if record.state == "active" and record.app.cluster == cluster:
            return record
    raise RefusedError(
        f"application {found[0].app} cannot be backed up",
        why="its Application object is gone; its versions stay",
        next_step=f"Apply its document again, or restore it: `appshield versions {found[0].app}`.",
    )


def with_versions(
    records: Iterable[ApplicationRecord], want: Wanted, history: str = ""
) -> ApplicationRecord:
    """Give the one history that is meant; those without any version do not count beside others.

    Raises:
        InvalidInputError: it has several, and `history` names none; else as `histories`.
        NotFoundError: as `histories`.
    """
    found = histories(records, want, history)
    holding = [record for record in found if record.last_version] or found[:1]
    if len(holding) > 1:
        raise InvalidInputError(
            f"application {found[0].app} has {len(holding)} histories of versions",
            why=_listed(holding),
            next_step="Choose one with --history ID.",
        )
    return holding[0]


def _one_of(found: Sequence[ApplicationRecord], history: str) -> ApplicationRecord:
    chosen = [record for record in found if record.app_id.startswith(history)]
    if len(chosen) != 1:
        raise NotFoundError(
            f"application {found[0].app} has no history {history}",
            why=f"it has {_listed(found)}",
            next_step="Take one of these with --history ID.",
        )
    return chosen[0]


def _unknown(known: Sequence[ApplicationRecord], want: Wanted) -> NotFoundError:
    elsewhere = sorted({str(record.app) for record in known if record.app.name == want.name})
    names = {record.app.name: str(record.app) for record in known}
    near = difflib.get_close_matches(want.name, names, n=3)
    close = elsewhere or [names[name] for name in near]
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    return NotFoundError(
        f"application {want} is unknown",
        next_step=f"{hint}`appshield apps --all` lists every application with versions.",
    )


def _active_and_young_first(record: ApplicationRecord) -> tuple[bool, float]:
    age = record.last_backup_at.timestamp() if record.last_backup_at else 0.0
    return record.state != "active", -age


def _listed(records: Iterable[ApplicationRecord]) -> str:
    return "; ".join(map(_described, records))


def _described(record: ApplicationRecord) -> str:
    versions = f"up to version {record.last_version}" if record.last_version else "no version"
    at = (
        f", last backup {record.last_backup_at:%Y-%m-%d %H:%M} UTC" if record.last_backup_at else ""
    )
    return f"{record.app_id} ({record.state}, {versions}{at})"
