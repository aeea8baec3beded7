"""AppShield as a person runs it: the command `appshield up`, and everything that it starts."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from appshield.bus import connect_bus
from appshield.contracts.agents import Agent
from appshield.contracts.streams import AGENTS
from appshield.errors import AppShieldError
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.local.cluster import ClusterFacts, ClusterSettings, cluster_status
from appshield.local.connection import read_connection
from appshield.local.home import Home
from appshield.local.programs import SERVICES
from bench.cluster_rows import BUS, KUBERNETES, OURS, SERVER
from bench.measuring import Measured, PeakMemory, cpu_of, pss_bytes, tree
from installation import Installation
from waiting import wait_until

START_DEADLINE_S = 90.0
STOP_DEADLINE_S = 60.0
SHARE_BESIDE = 1 / 500
"""Of one processor, for looking at what stands beside: its memory is told, and held to nothing."""


class RunningAppShield:
    """The processes of one `appshield up`, and the command line beside it."""

    def __init__(
        self, pid: int, home: Home, installation: Installation, settings: ClusterSettings
    ) -> None:
        self.installation = installation
        self._pid = pid
        self._home = home
        self._settings = settings

    async def command(self, *words: str) -> float:
        """Run a command to its good end; return the wall time in seconds."""
        start = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "appshield.cli", *words,
            env={**os.environ, "APPSHIELD_HOME": str(self._home.folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        wall_s = time.perf_counter() - start
        assert process.returncode == 0, said.decode()
        return wall_s

    @asynccontextmanager
    async def measured(self, found: dict[str, Measured]) -> AsyncIterator[Callable[[], None]]:
        """Measure all processes during the block, by program; call what is given when it is done.

        The time between that call and the end of the block does not count.
        """
        bus, server = self.installation.pid("bus"), self.installation.pid("store")
        before = self._cpu_s(bus, server)
        with (
            PeakMemory(self._pid, without={bus, server}) as ours,
            PeakMemory(bus, share=SHARE_BESIDE) as of_bus,
            PeakMemory(server, share=SHARE_BESIDE) as of_server,
        ):
            start = time.perf_counter()
            ends: list[float] = []
            yield lambda: ends.append(time.perf_counter())
            wall_s = (ends or [time.perf_counter()])[0] - start
        after = self._cpu_s(bus, server)
        peaks = {OURS: ours.peak_bytes, BUS: of_bus.peak_bytes, SERVER: of_server.peak_bytes}
        peaks[KUBERNETES] = sum(map(pss_bytes, self._kubernetes()))
        for name, peak in peaks.items():
            cpu_s = after[name] - before[name]
            found[name] = Measured(wall_s=wall_s, cpu_s=cpu_s, pss_peak_bytes=peak)

    def cpu_s(self) -> float:
        """Return the processor time so far of all that AppShield runs, the message bus included."""
        spent = self._cpu_s(self.installation.pid("bus"), self.installation.pid("store"))
        return spent[OURS] + spent[BUS]

    def _cpu_s(self, bus: int, server: int) -> dict[str, float]:
        ours = [pid for pid in tree(self._pid) if pid not in {bus, server}]
        places = {OURS: ours, BUS: [bus], SERVER: [server], KUBERNETES: self._kubernetes()}
        return {name: sum(map(_cpu_of, pids)) for name, pids in places.items()}

    def _kubernetes(self) -> list[int]:
        components = cluster_status(self._settings).components
        return [pid for one in components if one.alive for pid in tree(one.pid)]


def _cpu_of(pid: int) -> float:
    with contextlib.suppress(OSError):
        return cpu_of(pid)
    return 0.0


@asynccontextmanager
async def running(
    facts: ClusterFacts, settings: ClusterSettings, folder: Path
) -> AsyncIterator[RunningAppShield]:
    """Run `appshield up` against a local cluster, with a home of its own, until the block ends."""
    home = Home.from_environment({**os.environ, "APPSHIELD_HOME": str(folder)})
    with log_in(folder).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "appshield.cli", "up", "--kubeconfig", str(facts.kubeconfig),
            env={**os.environ, "APPSHIELD_HOME": str(folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )  # fmt: skip
    try:
        await _until_started(home, process)
        connection = read_connection(home)
        async with (
            Cluster.connect(ClusterAccess(kubeconfig=str(facts.kubeconfig))) as cluster,
            connect_bus(connection.bus("operator"), name="bench") as bus,
        ):
            installation = Installation(home, cluster, bus, connection.cluster)
            yield RunningAppShield(process.pid, home, installation, settings)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_DEADLINE_S):
            await process.wait()


def log_in(folder: Path) -> Path:
    """Make the home's folder, and name the file that takes what the command says."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "up.log"


async def _until_started(home: Home, process: asyncio.subprocess.Process) -> None:
    """Wait until every service is announced on the bus."""

    async def look() -> bool:
        assert process.returncode is None, log_in(home.folder).read_text()
        try:
            access = read_connection(home).bus("operator")
            async with connect_bus(access, name="bench", deadline_s=2) as bus:
                agents = [entry.value async for entry in bus.bucket(AGENTS, Agent).items()]
        except AppShieldError:
            return False
        return {agent.service for agent in agents} >= set(SERVICES)

    await wait_until(look, deadline_s=START_DEADLINE_S, what="AppShield runs", every_s=0.5)
