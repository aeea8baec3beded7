"""What the embedded server of the message bus is told, as it reads it: JSON is its own form. Pure.

The streams and those who administer them (planner, installer) are in one account. All other users
of AppShield itself are in another one, and each user that was added has an account of its own;
these take in the subjects that they may use. Permissions alone would not do: the server sends an
answer wherever the asker has it sent, past the asker's permissions, and a stream keeps it there.
Into the account of the streams no answer goes from another one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from appshield.bus.api import PREFIX
from appshield.bus.permissions import allowed
from appshield.contracts import subjects
from appshield.contracts.agents import AgentService
from appshield.contracts.permissions import UserSpec
from appshield.contracts.stream_specs import MIB
from appshield.contracts.streams import BUCKETS, STREAMS
from appshield.local.embedded.process import LOOPBACK

MESSAGE_BYTES_MAX = 4 * MIB
"""Above the largest message of any stream, with room for headers."""

STORE_BYTES_MAX = sum(spec.bytes_max for spec in (*STREAMS, *BUCKETS)) + 1024 * MIB
"""The server refuses streams whose limits together exceed this."""

STREAMS_ACCOUNT = "APPSHIELD"
"""The account of the streams."""

GUARDED_ACCOUNT = "guarded"
"""The account of those users of AppShield itself whose answers reach no stream."""

_TAKEN_IN = (f"{subjects.ROOT}.>", "$KV.>", f"{PREFIX}.>", "$JS.ACK.>")
"""What is sent to streams, to services and to JetStream; many answers may follow one request."""

_FACTS, _LIVE = f"{subjects.ROOT}.evt.>", f"{subjects.ROOT}.live.>"
_HEARD = (
    _FACTS,
    _LIVE,
    subjects.stored("*"),
    *(subjects.lent(service) for service in get_args(AgentService)),
)
"""What is heard from the account of the streams."""

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

    users: list[_User] = []
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
            STREAMS_ACCOUNT: _account_of_streams([one for one in users if not is_guarded(one[0])]),
            GUARDED_ACCOUNT: _guarded_account([one for one in users if is_guarded(one[0])]),
            **{account_of(user.name): own_account(user, key) for user, key in added},
        },
    }


def account_of(name: str) -> str:
    """Name the account of a user that was added."""
    return f"user-{name}"


def own_account(user: UserSpec, key: str) -> Account:
    """Describe the account of a user that was added."""
    uses = [_service(subject) for subject in allowed(user).publish]
    hears = [
        _stream(account, subject)
        for account in (STREAMS_ACCOUNT, GUARDED_ACCOUNT)
        for subject in dict.fromkeys(user.listens)
    ]
    return Account(users=[_user(user, key)], imports=uses + hears)


def is_guarded(user: UserSpec) -> bool:
    """Say whether a user is kept out of the account of the streams: all but administrators are."""
    return not user.administers


def _account_of_streams(users: Sequence[KnownUser]) -> Account:
    services = [{"service": one, "response_type": "stream"} for one in _TAKEN_IN]
    return Account(
        users=[_user(user, key) for user, key in users],
        jetstream="enabled",
        exports=[*services, *({"stream": one} for one in _HEARD)],
    )


def _guarded_account(users: Sequence[KnownUser]) -> Account:
    heard = [_stream(STREAMS_ACCOUNT, one) for one in _HEARD]
    return Account(
        users=[_user(user, key) for user, key in users],
        imports=[*map(_service, _TAKEN_IN), *heard],
        exports=[{"stream": one} for one in (_FACTS, _LIVE)],
    )


def _service(subject: str) -> dict[str, _Import]:
    return {"service": _Import(STREAMS_ACCOUNT, subject)}


def _stream(account: str, subject: str) -> dict[str, _Import]:
    return {"stream": _Import(account, subject)}


def _user(user: UserSpec, key: str) -> _User:
    may = allowed(user)
    return _User(
        nkey=key,
        permissions={
            "publish": {"allow": list(may.publish), "deny": list(may.publish_denied)},
            "subscribe": {"allow": list(may.subscribe)},
        },
    )
