"""The embedded object store: private, on loopback only, and nothing acknowledged is lost."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from appshield.errors import AppShieldError, RefusedError, UnavailableError
from appshield.local.embedded.folder_lock import ProcessIdentity
from appshield.local.embedded.object_store import GRPC_OFFSET, EmbeddedObjectStore
from appshield.objectstore import S3ObjectStore, S3Patience
from waiting import wait_until


def client(server: EmbeddedObjectStore) -> S3ObjectStore:
    return S3ObjectStore(server.location(), server.credentials, patience=S3Patience(attempts=1))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedObjectStore]:
    async with EmbeddedObjectStore(tmp_path / "s3") as running:
        yield running


def listening(pid: int) -> set[str]:
    """Return the addresses on which a process listens, as the kernel tells them."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            inodes.add(str(link.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1].partition(":")[0])
    return found


def has_ended(process: ProcessIdentity) -> bool:
    return not process.alive()


def seen_by(pid: int, what: str) -> bytes:
    """Return a file of the kernel about a process."""
    return Path(f"/proc/{pid}/{what}").read_bytes()


def socket_files(ports: Iterable[int]) -> list[str]:
    """Return the socket files that a server left for these ports."""
    gone = {str(port + GRPC_OFFSET) for port in ports}
    return [f.name for f in Path("/tmp").glob("seaweedfs-*.sock") if f.stem[-5:] in gone]


async def test_it_listens_on_loopback_only_and_its_files_are_private(
    server: EmbeddedObjectStore, tmp_path: Path
) -> None:
    """Nobody outside the machine reaches it, nobody else on it reads the key."""
    assert server.pid is not None
    assert listening(server.pid) == {"0100007F"}
    assert (tmp_path / "s3").stat().st_mode & 0o777 == 0o700
    for private in ("access.json", "address.json", "server.log", "lock"):
        assert (tmp_path / "s3" / private).stat().st_mode & 0o077 == 0, private
    command = seen_by(server.pid, "cmdline").split(b"\0")
    assert b"-master.telemetry=false" in command
    environment = seen_by(server.pid, "environ")
    assert b"GOMEMLIMIT=512MiB" in environment
    assert server.credentials.secret_key.encode() not in b"".join(command) + environment
    assert server.credentials.secret_key not in server.log_file.read_text()


async def test_everything_acknowledged_before_a_kill_is_there_after_a_restart(
    tmp_path: Path,
) -> None:
    """Killed while four writers write, started again: key, address and objects are the same."""
    server = EmbeddedObjectStore(tmp_path / "s3")
    await server.start()
    location, credentials = server.location(), server.credentials
    store = client(server)
    acknowledged: dict[str, bytes] = {}
    enough = threading.Event()

    def write(writer: int) -> None:
        for number in range(100_000):
            name, content = f"writer-{writer}/{number}", secrets.token_bytes(20_000)
            try:
                store.put(name, content)
            except AppShieldError:
                return
            acknowledged[name] = content
            if len(acknowledged) > 200:
                enough.set()

    async with asyncio.TaskGroup() as tasks:
        for writer in range(4):
            tasks.create_task(asyncio.to_thread(write, writer))
        assert await asyncio.to_thread(enough.wait, 60)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    await server.stop()

    again = EmbeddedObjectStore(tmp_path / "s3")
    async with again:
        assert (again.location(), again.credentials) == (location, credentials)
        assert not again.address_changed
        store = client(again)
        for name, content in acknowledged.items():
            assert await asyncio.to_thread(store.get, name) == content, name


async def test_a_second_one_in_the_same_folder_is_refused(
    server: EmbeddedObjectStore, tmp_path: Path
) -> None:
    """The message names the folder and the process; the first one is not disturbed."""
    with pytest.raises(RefusedError, match=f"{tmp_path}/s3: process {os.getpid()}"):
        await EmbeddedObjectStore(tmp_path / "s3").start()
    await asyncio.to_thread(client(server).put, "still", b"here")


async def test_a_port_that_somebody_took_is_replaced_and_said(tmp_path: Path) -> None:
    """The objects are the same at the new address."""
    server = EmbeddedObjectStore(tmp_path / "s3")
    async with server:
        before = server.location()
        await asyncio.to_thread(client(server).put, "object", b"content")
    port = int(before.endpoint.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        async with server:
            assert server.address_changed
            assert server.location() != before
            assert await asyncio.to_thread(client(server).get, "object") == b"content"


async def test_a_server_whose_owner_was_killed_is_replaced(tmp_path: Path) -> None:
    """It holds the folder until the next owner stops it; the objects are there."""
    program = f"""
        import asyncio, pathlib
        from appshield.local.embedded.object_store import EmbeddedObjectStore
        from appshield.objectstore import S3ObjectStore

        async def run() -> None:
            server = EmbeddedObjectStore(pathlib.Path({str(tmp_path / "s3")!r}))
            await server.start()
            S3ObjectStore(server.location(), server.credentials).put("object", b"content")
            print(server.pid, flush=True)
            await asyncio.Event().wait()

        asyncio.run(run())
    """
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    async with asyncio.timeout(60):
        orphan = ProcessIdentity.of(int(await owner.stdout.readline()))
    owner.kill()
    await owner.wait()
    assert orphan is not None
    assert orphan.alive()
    async with EmbeddedObjectStore(tmp_path / "s3") as server:
        assert not orphan.alive()
        assert server.pid != orphan.pid
        assert await asyncio.to_thread(client(server).get, "object") == b"content"


async def test_a_server_that_cannot_start_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is free again afterwards."""
    server = EmbeddedObjectStore(tmp_path / "s3")
    monkeypatch.setattr(server, "_command", lambda: ["/bin/sh", "-c", "echo no luck; exit 3"])
    with pytest.raises(UnavailableError, match=r"exit code 3(.|\n)*no luck"):
        await server.start()
    async with EmbeddedObjectStore(tmp_path / "s3"):
        pass


async def test_nothing_is_left_running_or_lying_around_after_a_stop(tmp_path: Path) -> None:
    """Also after a kill: no process, no socket file, the folder free."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        server = EmbeddedObjectStore(tmp_path / "s3")
        await server.start()
        assert server.pid is not None
        process = ProcessIdentity.of(server.pid)
        assert process is not None
        ports = server._ports_in_use()
        process.signal(number)
        await wait_until(partial(has_ended, process), deadline_s=20, what="the end")
        await server.stop()
        assert socket_files(ports.values()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_an_error_and_damages_nothing(small_disk: Path) -> None:
    """What was accepted before stays readable."""
    async with EmbeddedObjectStore(small_disk) as server:
        store = client(server)
        accepted: dict[str, bytes] = {}

        def fill() -> None:
            for number in range(100):
                content = secrets.token_bytes(4 * 1024 * 1024)
                store.put(f"fill/{number}", content)
                accepted[f"fill/{number}"] = content

        with pytest.raises(UnavailableError, match=r"when their disk is full|the store is full"):
            await asyncio.to_thread(fill)
        assert accepted
        for name, content in accepted.items():
            assert await asyncio.to_thread(store.get, name) == content
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)  # asked to stop it would try to write for long
