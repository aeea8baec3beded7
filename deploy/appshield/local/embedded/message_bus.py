"""The embedded message bus: nats-server with JetStream from its wheel, for one machine.

It listens on loopback only and keeps its data, its log, its port and a random key per user in one
private folder. Users may do what `appshield.contracts.permissions` says and nothing more; those
that were added, what their grants say. Every message is synced to disk before it is confirmed:
neither a killed server nor a loss of power loses what was confirmed.

    folder/server.conf    what the server is told, written at every start
    folder/users/         the key of each user, `<user>.nk`
    folder/grants/        what users may do that were added, `<user>.json`
    folder/data/          the streams
"""

import asyncio
import contextlib
import fcntl
import secrets
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import structlog

from appshield.bus import BusAccess
from appshield.bus.keys import new_seed, public_key
from appshield.contracts.permissions import USERS, UserSpec
from appshield.doors.grants import Grant, user_of
from appshield.errors import DamagedError, NotFoundError
from appshield.local.embedded.bus_configuration import (
    STREAMS_ACCOUNT,
    Account,
    KnownUser,
    account_of,
    own_account,
    server_configuration,
)
from appshield.local.embedded.folder_lock import running_server
from appshield.local.embedded.private_file import (
    read_private,
    write_private,
    write_private_bytes,
)
from appshield.local.embedded.process import LOOPBACK, free_port, port_is_free, program
from appshield.local.embedded.server import EmbeddedServer

NAME = "the embedded message bus"
READY_DEADLINE_S = 20.0
STOP_DEADLINE_S = 10.0
PROBE_TIMEOUT_S = 2.0

_log = structlog.get_logger(__name__)


class _Address(msgspec.Struct, frozen=True):
    port: int


class EmbeddedBus(EmbeddedServer):
    """One NATS server with its data in `folder`.

    `access` works for anyone who can read the folder, whether or not they started the server.
    """

    def __init__(self, folder: Path, *, users: Sequence[UserSpec] = USERS) -> None:
        super().__init__(
            folder,
            NAME,
            environment={"HOME": "."},
            ready_deadline_s=READY_DEADLINE_S,
            stop_deadline_s=STOP_DEADLINE_S,
        )
        self._users = tuple(users)
        self._server_name = ""

    @property
    def users_folder(self) -> Path:
        """Where the keys of the users are."""
        return self._folder / "users"

    @property
    def url(self) -> str:
        """Where the server listens, or will listen again.

        Raises:
            NotFoundError: it was never started in this folder.
        """
        address = read_private(self._folder / "address.json", _Address)
        if address is None:
            raise NotFoundError(
                f"{NAME} was never started in {self._folder}", next_step="Run `appshield up`"
            )
        return f"nats://{LOOPBACK}:{address.port}"

    def access(self, user: str) -> BusAccess:
        """Return how to reach the bus as `user`.

        Raises:
            NotFoundError: there is no such user, or the server was never started.
        """
        file = self._key_file(user)
        if not file.exists():
            raise NotFoundError(f"{NAME} has no user {user}", why=f"{file} is missing")
        return BusAccess(url=self.url, user=user, seed_file=str(file))

    def granted(self) -> list[Grant]:
        """List the grants of users that were added, by name."""
        files = sorted(self._grants_folder.glob("*.json"))
        return [grant for file in files if (grant := read_private(file, Grant)) is not None]

    def grant(self, grant: Grant) -> BusAccess:
        """Add a user, or give it another grant; a server that runs is told, and drops nobody."""
        with self._alone():
            for folder in (self.users_folder, self._grants_folder):
                folder.mkdir(mode=0o700, exist_ok=True)
            write_private(self._grant_file(grant.name), grant)
            self._configure(grant.name, own_account(*self._known(user_of(grant))))
        return self.access(grant.name)

    def revoke(self, name: str) -> None:
        """Remove a user that was added; a server that runs is told, and drops it."""
        with self._alone():
            self._grant_file(name).unlink()
            self._configure(name, None)

    def ensure_added(self, name: str) -> None:
        """Make sure that a user was added.

        Raises:
            NotFoundError: there is none of that name, or it is one of AppShield itself.
        """
        if name not in {grant.name for grant in self.granted()}:
            raise NotFoundError(
                f"the message bus has no user {name} that was added",
                next_step="`appshield bus-user list` shows those that were.",
            )

    def remove_key(self, name: str) -> None:
        """Remove the key of a user that is not let in any more."""
        self._key_file(name).unlink(missing_ok=True)

    def read_again(self) -> None:
        """Let a server that runs read again what it is told; it drops nobody else."""
        if (server := running_server(self._folder)) is not None:
            server.signal(signal.SIGHUP)

    @property
    def runs(self) -> bool:
        """Whether the server of this folder runs, whoever started it."""
        return running_server(self._folder) is not None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one who changes users, or what the server is told: commands are processes."""
        with (self._folder / "users.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def _grants_folder(self) -> Path:
        return self._folder / "grants"

    def _grant_file(self, name: str) -> Path:
        return self._grants_folder / f"{name}.json"

    def _configure(self, name: str, account: Account | None) -> None:
        """Change the account of one user in what the server is told, and have it read that."""
        file = self._folder / "server.conf"
        if not file.exists():
            return
        told = msgspec.json.decode(file.read_bytes())
        accounts = told.setdefault("accounts", {})  # a server from before there were any refuses
        accounts.pop(account_of(name), None)
        if account is not None:
            accounts[account_of(name)] = account
        write_private_bytes(file, msgspec.json.format(msgspec.json.encode(told)))
        self.read_again()

    def _prepare(self) -> Sequence[str]:
        self.users_folder.mkdir(mode=0o700, exist_ok=True)
        self._server_name = "appshield-" + secrets.token_hex(8)
        with self._alone():
            configuration = server_configuration(
                name=self._server_name,
                port=self._choose_port(),
                store=self._folder / "data",
                users=[self._known(user) for user in self._users],
                added=[self._known(user_of(grant)) for grant in self.granted()],
            )
            text = msgspec.json.format(msgspec.json.encode(configuration))
            write_private_bytes(self._folder / "server.conf", text)
        self._move_to_account()
        return [str(program("nats-server")), "--config", "server.conf"]

    async def _answers(self) -> bool:
        """Whether this very server greets at the port, with JetStream on."""
        port = int(self.url.rpartition(":")[2])
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(LOOPBACK, port)
                try:
                    greeting = await reader.readline()
                finally:
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError):
            return False
        return self._server_name.encode() in greeting and b'"jetstream":true' in greeting

    def _choose_port(self) -> int:
        """Return the port of the last time, or a new one where somebody took it."""
        file = self._folder / "address.json"
        before = read_private(file, _Address)
        if before and port_is_free(before.port):
            return before.port
        port = free_port()
        write_private(file, _Address(port))
        if before:
            self.address_changed = True
            _log.warning("embedded message bus moved", port=port, port_before=before.port)
        return port

    def _move_to_account(self) -> None:
        """Give the streams of a server that had no accounts yet to the one that they are in now."""
        before, now = (
            self._folder / "data" / "jetstream" / name for name in ("$G", STREAMS_ACCOUNT)
        )
        if before.exists() and not now.exists():
            before.rename(now)

    def _known(self, user: UserSpec) -> KnownUser:
        return user, public_key(self._seed(user.name))

    def _seed(self, user: str) -> str:
        file = self._key_file(user)
        if not file.exists():
            write_private_bytes(file, f"{new_seed()}\n".encode())
        seed = file.read_text()
        try:
            public_key(seed)
        except ValueError as error:
            raise DamagedError(
                f"{file} holds no key", why=str(error), next_step="Remove it to get a new one"
            ) from error
        return seed

    def _key_file(self, user: str) -> Path:
        return self.users_folder / f"{user}.nk"
