"""The embedded object store: SeaweedFS (`weed mini`) from its wheel, for one machine.

Everything listens on loopback only, sends no telemetry, and keeps its data, its log, its ports
and its random credentials in one private folder. Its filer port knows no credentials: any process
of this machine could read and delete there, so object lock on this store is no protection against
a user of the machine. Each PUT syncs the file that holds the bytes (not the filer's own index): a
killed server loses nothing that it acknowledged, a loss of power can lose the last seconds.

    folder/access.json    the credentials, in the form that the server reads: of the installation,
                          and of agents on nodes, who may write into repositories and delete nothing
    folder/data/          the objects
"""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import structlog

from appshield.errors import AppShieldError, DeadlineError, UnavailableError
from appshield.local.embedded.private_file import read_private, write_private
from appshield.local.embedded.process import LOOPBACK, free_port, port_is_free, program
from appshield.local.embedded.server import EmbeddedServer
from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore, S3Patience

NAME = "the embedded object store"
BUCKET = "appshield"
READY_DEADLINE_S = 60.0
STOP_DEADLINE_S = 15.0
SYNC_DEADLINE_S = 20.0
MEMORY_SOFT_LIMIT = "512MiB"
"""Half of what the server takes by itself after load, at the same speed."""

GRPC_OFFSET = 10_000
"""The server adds this to an HTTP port to find the gRPC port, in places whatever was set."""

LAST_PORT = 32_767 - GRPC_OFFSET

SOCKET_FILE = "/tmp/seaweedfs-{part}-grpc-{port}.sock"  # noqa: S108 - fixed by the server

_OWNER, _AGENTS = "appshield", "agents"
_AGENTS_MAY = (
    ("arn:aws:s3:::{bucket}", ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation")),
    (
        "arn:aws:s3:::{bucket}/*/repository/*",
        ("s3:GetObject", "s3:PutObject", "s3:GetObjectRetention", "s3:PutObjectRetention"),
    ),
)
"""List, and read and write in repositories."""

_ENVIRONMENT = {"GOMEMLIMIT": MEMORY_SOFT_LIMIT, "HOME": ".", "TMPDIR": "."}
"""All that the server sees: it would obey AWS and WEED variables of ours."""

_log = structlog.get_logger(__name__)


class _Ports(msgspec.Struct, frozen=True):
    """The HTTP ports of the parts of the server."""

    s3: int
    master: int
    volume: int
    filer: int
    admin: int


class _Key(msgspec.Struct, frozen=True, rename="camel"):
    access_key: str
    secret_key: str


class _Identity(msgspec.Struct, frozen=True, rename="camel"):
    """Who has a key: may do `actions`, and what the policies of these names allow."""

    name: str
    credentials: tuple[_Key, ...]
    actions: tuple[str, ...] = ("Admin", "Read", "List", "Tagging", "Write")
    policy_names: tuple[str, ...] = ()


class _Policy(msgspec.Struct, frozen=True):
    name: str
    content: str


class _Access(msgspec.Struct, frozen=True):
    """The server's own file format for who may do what."""

    identities: tuple[_Identity, ...]
    policies: tuple[_Policy, ...] = ()


class EmbeddedObjectStore(EmbeddedServer):
    """One S3 server with its data in `folder`; `bucket` exists as soon as it is ready."""

    def __init__(self, folder: Path, *, bucket: str = BUCKET) -> None:
        super().__init__(
            folder,
            NAME,
            environment=_ENVIRONMENT,
            ready_deadline_s=READY_DEADLINE_S,
            stop_deadline_s=STOP_DEADLINE_S,
        )
        self.bucket = bucket
        self._ports: _Ports | None = None
        self._keys: dict[str, S3Credentials] = {}

    @property
    def credentials(self) -> S3Credentials:
        """The key of this installation."""
        return self._key(_OWNER)

    @property
    def agent_credentials(self) -> S3Credentials:
        """The key of agents: for repositories in the bucket, and not to delete."""
        return self._key(_AGENTS)

    def _key(self, identity: str) -> S3Credentials:
        if not self._keys:
            raise UnavailableError(f"{NAME} was not started")
        return self._keys[identity]

    def location(self, bucket: str | None = None, prefix: str = "") -> S3Location:
        """Return where a bucket of this store is (by default the one that it comes with)."""
        endpoint = f"http://{LOOPBACK}:{self._ports_in_use()['s3']}"
        return S3Location(endpoint, bucket or self.bucket, prefix)

    def _prepare(self) -> Sequence[str]:
        self._keys = self._read_or_make_keys()
        self._ports = self._choose_ports()
        (self._folder / "data" / "mini.options").unlink(missing_ok=True)  # it would overrule ours
        return self._command()

    def _command(self) -> Sequence[str]:
        """Return the command line; paths are relative, as socket paths must be short."""
        ports = self._ports_in_use()
        return [
            str(program("weed")),
            "-logtostderr=true",
            "mini",
            "-dir=data",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            "-master.telemetry=false",
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.config=access.json",
            "-s3.autoCreateBucket=false",
            "-s3.allowDeleteBucketNotEmpty=false",
            "-s3.localSocket=s3.socket",
            "-filer.localSocket=filer.socket",
            f"-bucket={self.bucket}",
            *(f"-{part}.port={port}" for part, port in ports.items()),
            *(f"-{part}.port.grpc={port + GRPC_OFFSET}" for part, port in ports.items()),
        ]

    async def _answers(self) -> bool:
        return await asyncio.to_thread(self._try_an_object)

    def _try_an_object(self) -> bool:
        patience = S3Patience(connect_timeout_s=1, answer_timeout_s=5, attempts=1)
        store = S3ObjectStore(self.location(), self.credentials, patience=patience)
        probe = f"appshield-ready-{secrets.token_hex(8)}"
        try:
            store.put(probe, b"ready")
            store.delete(probe)
        except AppShieldError:
            return False
        finally:
            store.close()
        return True

    async def _run(self, command: Sequence[str]) -> None:
        await super()._run(command)
        await self._sync_each_object()

    async def _sync_each_object(self) -> None:
        """Have the server sync what it stores, once per installation."""
        done = self._folder / "data" / "synced"
        if done.exists():
            return
        ports = self._ports_in_use()
        shell = await asyncio.create_subprocess_exec(
            program("weed"),
            "-logtostderr=true",
            "shell",
            f"-master={LOOPBACK}:{ports['master']}",
            f"-filer={LOOPBACK}:{ports['filer']}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._folder,
            env=_ENVIRONMENT,
        )
        order = b"fs.configure -locationPrefix=/buckets/ -fsync -apply\n"
        try:
            async with asyncio.timeout(SYNC_DEADLINE_S):
                said, _ = await shell.communicate(order)
        except TimeoutError as error:
            shell.kill()
            await shell.wait()
            raise DeadlineError(f"{NAME} did not accept its settings in time") from error
        if b'"fsync":  true' not in said:
            raise UnavailableError(f"{NAME} did not accept its settings", why=said.decode()[-500:])
        done.touch()

    def _left_outside(self) -> Iterable[Path]:
        for part, port in self._ports_in_use().items():
            yield Path(SOCKET_FILE.format(part=part, port=port + GRPC_OFFSET))

    def _ports_in_use(self) -> dict[str, int]:
        if self._ports is None:
            raise UnavailableError(f"{NAME} was not started")
        return msgspec.structs.asdict(self._ports)

    def _choose_ports(self) -> _Ports:
        """Return the ports of the last time, or new ones where somebody took one of them."""
        file = self._folder / "address.json"
        before = read_private(file, _Ports)
        if before and all(_pair_is_free(port) for port in msgspec.structs.asdict(before).values()):
            return before
        chosen: list[int] = []
        while len(chosen) < len(_Ports.__struct_fields__):
            port = free_port(besides=chosen, last=LAST_PORT)
            if _pair_is_free(port):
                chosen.append(port)
        ports = _Ports(*chosen)
        write_private(file, ports)
        if before:
            self.address_changed = True
            _log.warning("embedded object store moved", port=ports.s3, port_before=before.s3)
        return ports

    def _read_or_make_keys(self) -> dict[str, S3Credentials]:
        """Return the keys by identity; those of agents are made where an older release had none."""
        file = self._folder / "access.json"
        found = read_private(file, _Access)
        access = found or _Access((_Identity(_OWNER, (_new_key(),)),))
        if _AGENTS not in {one.name for one in access.identities}:
            agents = _Identity(_AGENTS, (_new_key(),), actions=(), policy_names=(_AGENTS,))
            access = _Access(
                (*access.identities, agents),
                (*access.policies, _Policy(_AGENTS, _agents_policy(self.bucket))),
            )
            write_private(file, access)
        keys = {one.name: one.credentials[0] for one in access.identities}
        keys[_OWNER] = access.identities[0].credentials[0]
        return {name: S3Credentials(key.access_key, key.secret_key) for name, key in keys.items()}


def _new_key() -> _Key:
    return _Key("appshield-" + secrets.token_hex(8), secrets.token_urlsafe(32))


def _agents_policy(bucket: str) -> str:
    allowed = [
        {"Effect": "Allow", "Action": actions, "Resource": [resource.format(bucket=bucket)]}
        for resource, actions in _AGENTS_MAY
    ]
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": allowed}).decode()


def _pair_is_free(port: int) -> bool:
    return port_is_free(port) and port_is_free(port + GRPC_OFFSET)
