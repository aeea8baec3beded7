"""Run the two CSI drivers of a local cluster: one with snapshots and one without.

Each driver serves two sockets below the kubelet's root: its own, and one where the kubelet learns
of it. Both names serve the same calls.
"""

import argparse
import asyncio
import signal
from pathlib import Path

import grpc

from appshield.local.cluster.csi.driver import Driver
from appshield.local.cluster.csi.protocol import Protocol
from appshield.local.cluster.csi.subvolumes import Pool
from appshield.local.cluster.settings import DRIVER, PLAIN_DRIVER, csi_sockets

_SERVICES = (
    "pluginregistration.Registration",
    "csi.v1.Identity",
    "csi.v1.Controller",
    "csi.v1.Node",
)
_STOP_S = 2.0


async def serve(*, descriptors: Path, pool: Path, kubelet_root: Path, node: str) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    protocol = Protocol(descriptors)
    servers = []
    for name in (DRIVER, PLAIN_DRIVER):
        socket, registration = csi_sockets(kubelet_root, name)
        driver = Driver(
            name=name,
            node=node,
            socket=socket,
            pool=Pool(pool / name),
            protocol=protocol,
            with_snapshots=name == DRIVER,
            busy=asyncio.Lock(),
        )
        driver.pool.prepare()
        servers.append(await _start(driver, (socket, registration)))
    await stop.wait()
    for server in servers:
        await server.stop(_STOP_S)


async def _start(driver: Driver, sockets: tuple[Path, ...]) -> grpc.aio.Server:
    server = grpc.aio.server()
    handlers = tuple(driver.protocol.handlers(service, driver) for service in _SERVICES)
    server.add_generic_rpc_handlers(handlers)
    for socket in sockets:
        socket.parent.mkdir(parents=True, exist_ok=True)
        socket.unlink(missing_ok=True)
        server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="csi-driver", description=__doc__)
    parser.add_argument("--descriptors", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--kubelet-root", type=Path, required=True)
    parser.add_argument("--node", required=True)
    chosen = parser.parse_args()
    asyncio.run(
        serve(
            descriptors=chosen.descriptors,
            pool=chosen.pool,
            kubelet_root=chosen.kubelet_root,
            node=chosen.node,
        )
    )


if __name__ == "__main__":
    main()
