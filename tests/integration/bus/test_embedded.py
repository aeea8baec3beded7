"""The embedded server: private, quick, alone in its folder, and there again after anything."""

import asyncio
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from appshield.bus import connect_bus
from appshield.contracts.permissions import USERS
from appshield.contracts.streams import RUNS
from appshield.errors import DamagedError, NotFoundError, RefusedError
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import port_is_free
from waiting import wait_until


def seed_of(server: EmbeddedBus, user: str) -> str:
    """Read a user's secret key."""
    return Path(server.access(user).seed_file).read_text()


def listening_at(port: int) -> list[str]:
    """List the addresses of this machine that listen at a port, as the kernel writes them."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [one[1] for one in sockets if one[3] == "0A" and one[1].endswith(f":{port:04X}")]


async def test_it_starts_in_less_than_a_second(tmp_path: Path) -> None:
    """From nothing, keys included; a busy machine gets some grace."""
    begun = time.monotonic()
    async with EmbeddedBus(tmp_path / "bus") as server:
        took_s = time.monotonic() - begun
        assert server.pid is not None
    assert took_s < 3


async def test_its_data_and_address_survive_a_restart_and_a_crash(tmp_path: Path) -> None:
    """What was confirmed is there after a stop and after a kill, at the same URL."""
    server = EmbeddedBus(tmp_path)
    await server.start()
    url = server.url
    async with connect_bus(server.access("planner"), name="test") as bus:
        await bus.ensure_topology()
        runs = bus.bucket(RUNS, str)
        await runs.put("a", "before")
        await server.stop()
        await server.start()
        await runs.put("b", "between")
        server.kill()
        await server.wait()
        await server.stop()
        await server.start()
        assert await runs.keys() == ["a", "b"]
    assert server.url == url
    assert not server.address_changed
    await server.stop()


async def test_keys_are_random_private_and_kept(tmp_path: Path) -> None:
    """One key per user, readable by the owner alone; another installation has others."""
    async with EmbeddedBus(tmp_path / "one") as first:
        seeds = {user.name: seed_of(first, user.name) for user in USERS}
        for file in first.users_folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o700
        configuration = (tmp_path / "one" / "server.conf").read_text()
        assert not [seed for seed in seeds.values() if seed.strip() in configuration]
    assert len(set(seeds.values())) == len(USERS)
    async with EmbeddedBus(tmp_path / "one") as again:
        assert seed_of(again, "planner") == seeds["planner"]
    async with EmbeddedBus(tmp_path / "two") as other:
        assert seed_of(other, "planner") != seeds["planner"]


async def test_a_second_start_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """The error says that it runs and who holds it; the first one is not disturbed."""
    async with EmbeddedBus(tmp_path) as server:
        with pytest.raises(RefusedError, match="already runs in") as caught:
            await EmbeddedBus(tmp_path).start()
        assert str(os.getpid()) in str(caught.value)
        async with connect_bus(server.access("person"), name="test") as bus:
            assert await bus.health() == ""


async def test_somebody_else_in_the_folder_can_find_the_address(tmp_path: Path) -> None:
    """The command line connects to a server that another process started."""
    async with EmbeddedBus(tmp_path):
        elsewhere = EmbeddedBus(tmp_path)
        async with connect_bus(elsewhere.access("person"), name="test") as bus:
            assert await bus.health() == ""
    with pytest.raises(NotFoundError, match="no user nobody"):
        elsewhere.access("nobody")
    with pytest.raises(NotFoundError, match="never started"):
        _ = EmbeddedBus(tmp_path / "other").url


async def test_a_port_that_somebody_took_is_replaced(tmp_path: Path) -> None:
    """The server moves, and says so."""
    server = EmbeddedBus(tmp_path)
    async with server:
        url = server.url
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(url.rpartition(":")[2])))
        taken.listen()
        async with server:
            assert server.url != url
            assert server.address_changed


async def test_a_stopped_server_leaves_nothing_running(tmp_path: Path) -> None:
    """The process is gone and the port is free."""
    async with EmbeddedBus(tmp_path) as server:
        pid, port = server.pid, int(server.url.rpartition(":")[2])
    assert pid is not None
    await wait_until(lambda: port_is_free(port), deadline_s=5, what="the port is free")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    """A key that is none stops the start with its path, not with a traceback."""
    async with EmbeddedBus(tmp_path) as server:
        file = server.users_folder / "planner.nk"
    file.write_text("garbage")
    with pytest.raises(DamagedError, match=f"{file} holds no key"):
        await EmbeddedBus(tmp_path).start()


async def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    """No other address of the machine answers at the port."""
    async with EmbeddedBus(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        assert listening_at(port) == [f"0100007F:{port:04X}"]
        with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
            await asyncio.open_connection("127.0.0.2", port)
