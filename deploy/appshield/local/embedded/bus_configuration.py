"""What the embedded server of the message bus is told, as it reads it: JSON is its own form. Pure.

The streams and those who work with them are in one account. Each user that was added has an account
of its own, which takes in just the subjects that it may use. Permissions alone would not do: the
server sends an answer wherever the asker has it sent, past the asker's permissions, and a stream
keeps it there. From an account of its own, an answer goes no further than that account.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from appshield.bus.api import PREFIX
from appshield.bus.permissions import allowed
from appshield.contracts import subjects
from appshield.contracts.permissions import UserSpec
from appshield.contracts.stream_specs import MIB
from appshield.contracts.streams import BUCKETS, STATE, STREAMS
from appshield.local.embedded.process import LOOPBACK

MESSAGE_BYTES_MAX = 4 * MIB
"""Above the largest message of any stream, with room for headers."""

STORE_BYTES_MAX = sum(spec.bytes_max for spec in (*STREAMS, *BUCKETS)) + 1024 * MIB
"""The server refuses streams whose limits together exceed this."""

ACCOUNT = "APPSHIELD"
"""The account of the streams."""

_OFFERED = (
    {"service": subjects.requests(door="bus")},
    {"service": subjects.signal(">")},
    {"service": f"{PREFIX}.DIRECT.GET.{STATE.name}.>"},
    {"stream": f"{subjects.ROOT}.evt.>"},
    {"stream": f"{subjects.ROOT}.live.>"},
)
"""What users that were added can be given at all."""

KnownUser = tuple[UserSpec, str]
"""A user, and the public key that it proves to be its own."""


class _User(msgspec.Struct, frozen=True):
    nkey: str
    permissions: dict[str, dict[str, list[str]]]


class _Import(msgspec.Struct, frozen=True):
    account: str
    subject: str


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account of the server, in the words of its configuration."""

    users: list[_User]
    jetstream: str = ""
    exports: list[dict[str, str]] = []
    imports: list[dict[str, _Import]] = []


def server_configuration(
    *,
    name: str,
    port: int,
    store: Path,
    users: Sequence[KnownUser],
    added: Sequence[KnownUser] = (),
) -> dict[str, object]:
    """Describe a server with the users of AppShield itself, and with those that were added."""
    streams = Account(
        users=[_user(user, key) for user, key in users],
        jetstream="enabled",
        exports=list(_OFFERED),
    )
    return {
        "server_name": name,
        "host": LOOPBACK,
        "port": port,
        "max_payload": MESSAGE_BYTES_MAX,
        "jetstream": {
            "store_dir": str(store),
            "max_file_store": STORE_BYTES_MAX,
            "max_memory_store": 64 * MIB,
            "sync_interval": "always",
        },
        "accounts": {
            ACCOUNT: streams,
            **{account_of(user.name): own_account(user, key) for user, key in added},
        },
    }


def account_of(name: str) -> str:
    """Name the account of a user that was added."""
    return f"user-{name}"


def own_account(user: UserSpec, key: str) -> Account:
    """Describe the account of a user that was added."""
    uses = [{"service": _Import(ACCOUNT, subject)} for subject in allowed(user).publish]
    hears = [{"stream": _Import(ACCOUNT, subject)} for subject in dict.fromkeys(user.listens)]
    return Account(users=[_user(user, key)], imports=uses + hears)


def _user(user: UserSpec, key: str) -> _User:
    may = allowed(user)
    return _User(
        nkey=key,
        permissions={
            "publish": {"allow": list(may.publish), "deny": list(may.publish_denied)},
            "subscribe": {"allow": list(may.subscribe)},
        },
    )
