"""The embedded message bus: nats-server with JetStream from its wheel, for one machine.

It listens on loopback only and keeps its data, its log, its port and a random key per user in one
private folder. Users may do what `appshield.contracts.permissions` says and nothing more. Every
message is synced to disk before it is confirmed: neither a killed server nor a loss of power
loses what was confirmed.

    folder/lock           who runs here
    folder/address.json   the port, kept across restarts
    folder/server.conf    what the server is told, written at every start
    folder/server.log     what the server says
    folder/users/         the key of each user, `<user>.nk`
    folder/data/          the streams
"""

import asyncio
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import structlog

from appshield.bus import BusAccess
from appshield.bus.keys import new_seed, public_key
from appshield.bus.permissions import allowed
from appshield.contracts.permissions import USERS, UserSpec
from appshield.contracts.streams import BUCKETS, MIB, STREAMS
from appshield.errors import DamagedError, NotFoundError
from appshield.local.embedded.folder_lock import FolderLock
from appshield.local.embedded.private_file import read_private, write_private
from appshield.local.embedded.process import (
    LOOPBACK,
    OwnedProcess,
    free_port,
    port_is_free,
    program,
)

NAME = "the embedded message bus"
READY_DEADLINE_S = 20.0
STOP_DEADLINE_S = 10.0
PROBE_TIMEOUT_S = 2.0
LOG_BYTES_MAX = 16 * MIB
"""A longer log is begun anew at the next start; the one before is kept."""

MESSAGE_BYTES_MAX = 4 * MIB
"""Above the largest message of any stream, with room for headers."""

STORE_BYTES_MAX = sum(spec.bytes_max for spec in (*STREAMS, *BUCKETS)) + 1024 * MIB
"""The server refuses streams whose limits together exceed this."""

_ENVIRONMENT = {"HOME": "."}

_log = structlog.get_logger(__name__)


class _Address(msgspec.Struct, frozen=True):
    port: int


class EmbeddedBus:
    """One NATS server with its data in `folder`; an async context manager, or `start` and `stop`.

    A second one on the same folder is refused. `access` works for anyone who can read the folder,
    whether or not they started the server.
    """

    def __init__(self, folder: Path, *, users: Sequence[UserSpec] = USERS) -> None:
        self.address_changed = False
        """Whether the last start had to take another port than the one before."""
        self._folder = folder.absolute()
        self._users = tuple(users)
        self._lock = FolderLock(self._folder, NAME)
        self._process: OwnedProcess | None = None
        self._server_name = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def users_folder(self) -> Path:
        """Where the keys of the users are."""
        return self._folder / "users"

    @property
    def log_file(self) -> Path:
        """Where the server's log is."""
        return self._folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

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

    async def start(self) -> None:
        """Start the server and return when it takes connections.

        Raises:
            RefusedError: it runs in this folder already.
            UnavailableError, DeadlineError: it did not come up; the message shows its log.
        """
        for folder in (self._folder, self.users_folder, self._folder / "data"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        await self._lock.acquire()
        try:
            self._prepare()
            await self._run()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server; what it confirmed is there at the next start."""
        try:
            if self._process is not None:
                await self._process.stop(STOP_DEADLINE_S)
        finally:
            self._lock.release()

    async def wait(self) -> int:
        """Wait for the server's end; return its exit code, negative for a signal."""
        return await self._process.wait() if self._process else 0

    def kill(self) -> None:
        """End the server at once, without a chance to clean up."""
        if self._process is not None:
            self._process.kill()

    def _prepare(self) -> None:
        self._server_name = "appshield-" + secrets.token_hex(8)
        port = self._choose_port()
        keys = {user.name: public_key(self._seed(user.name)) for user in self._users}
        configuration = server_configuration(
            name=self._server_name,
            port=port,
            store=self._folder / "data",
            users=[(user, keys[user.name]) for user in self._users],
        )
        _write_private_text(
            self._folder / "server.conf",
            msgspec.json.format(msgspec.json.encode(configuration)).decode(),
        )
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES_MAX:
            self.log_file.replace(self.log_file.with_suffix(".log.before"))

    async def _run(self) -> None:
        self._process = OwnedProcess(
            NAME,
            [str(program("nats-server")), "--config", "server.conf"],
            log_file=self.log_file,
            environment=_ENVIRONMENT,
            folder=self._folder,
            inherit=[self._lock.descriptor],
        )
        await self._process.start()
        if self._process.pid is not None:
            self._lock.record_server(self._process.pid)
        await self._process.wait_ready(self._answers, READY_DEADLINE_S)

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

    def _seed(self, user: str) -> str:
        file = self._key_file(user)
        if not file.exists():
            _write_private_text(file, new_seed() + "\n")
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


def server_configuration(
    *, name: str, port: int, store: Path, users: Sequence[tuple[UserSpec, str]]
) -> dict[str, object]:
    """Describe the server; the form is JSON, which the server reads as its own."""
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
        "authorization": {
            "users": [{"nkey": key, "permissions": _permissions(user)} for user, key in users]
        },
    }


def _permissions(user: UserSpec) -> dict[str, object]:
    may = allowed(user)
    return {
        "publish": {"allow": list(may.publish), "deny": list(may.publish_denied)},
        "subscribe": {"allow": list(may.subscribe)},
    }


def _write_private_text(file: Path, text: str) -> None:
    unnamed = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    unnamed.replace(file)
