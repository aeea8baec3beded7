"""Which entries are wanted. Pure."""

from datetime import datetime

import msgspec

from appshield.contracts.audit import AuditEntry


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; empty fields ask for nothing. `app` is `[NAMESPACE/]NAME`.

    `actor` is a part of the name, in any case of letters.
    """

    actor: str = ""
    app: str = ""
    namespace: str = ""
    action: str = ""
    door: str = ""
    outcome: str = ""
    run: str = ""
    since: datetime | None = None
    until: datetime | None = None


def is_wanted(entry: AuditEntry, wish: Wish) -> bool:
    """Say whether an entry is among those that are asked for."""
    event = entry.event
    namespace, _, name = wish.app.rpartition("/")
    same = (
        (name, event.app.name),
        (namespace or wish.namespace, event.app.namespace),
        (wish.action, event.action),
        (wish.door, event.door),
        (wish.outcome, event.outcome),
        (wish.run, event.run),
    )
    return (
        all(asked in ("", told) for asked, told in same)
        and wish.actor.casefold() in event.actor.casefold()
        and (wish.since is None or event.at >= wish.since)
        and (wish.until is None or event.at < wish.until)
    )
