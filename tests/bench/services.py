"""One service beside a message bus, as long as it is measured, and the memory that it takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from appshield.local.embedded.message_bus import EmbeddedBus
from service_process import process_of

_STOP_DEADLINE_S = 20.0


@asynccontextmanager
async def serving(
    service: str,
    server: EmbeddedBus,
    log_file: Path,
    *,
    cluster: str,
    kubeconfig: Path | None = None,
) -> AsyncIterator[int]:
    """Run a service for the time of the block; yield its process id."""
    process = process_of(service, server, log_file, cluster=cluster, kubeconfig=kubeconfig)
    await process.start()
    try:
        yield process.pid or 0
    finally:
        await process.stop(_STOP_DEADLINE_S)


def memory_mib(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process now, and the most that it was."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    now, most = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most
