"""Load a dump: feed it to the component's load command, counted at both ends.

A component without a dump has its data on its volumes: its load command reads nothing and is run
all the same, once the workload is ready.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec

from appshield.capture import CapturedComponent, Discretion
from appshield.capture.layout import dump_source
from appshield.contracts.message import StepCommand
from appshield.contracts.restores import DumpLoaded, LoadDump
from appshield.custody import Custody, HeldRepository
from appshield.errors import DamagedError, InvalidInputError
from appshield.kubernetes import Cluster, PodRef
from appshield.podvolumes.commands import run_command
from appshield.podvolumes.components import container_of, running_pods
from appshield.podvolumes.hooks import chosen_pods
from appshield.repository import Reader
from appshield.restorer.reading import VersionContent, read_version
from appshield.service.steps import StepContext, order_of, outcome


class Feeding:
    """Feeds dumps to running components."""

    def __init__(self, *, custody: Custody, cluster: Cluster) -> None:
        self._custody = custody
        self._cluster = cluster

    async def feed(self, command: StepCommand, context: StepContext) -> DumpLoaded:
        """Load one dump whole.

        Raises:
            RunFailedError: the load command failed.
            DamagedError: not every byte arrived.
        """
        order = order_of(command, LoadDump)
        async with self._custody.held(order.vault, order.app_id, more_follows=True) as held:
            content = await read_version(held, order)
            component = _component(content, order.dump.component)
            if component.load is None:
                raise InvalidInputError(f"component {component.name} declares no load")
            await context.ensure_wanted()
            dump = await asyncio.to_thread(_open, held, content, component)
            pods = await running_pods(self._cluster, order.dump.namespace, component)
            pod = chosen_pods(pods, component.load)[0]
            where = PodRef(
                order.dump.namespace, pod["metadata"]["name"], container_of(pod, component.load)
            )
            done = await run_command(
                self._cluster,
                where,
                component.load,
                what=f"loading the dump of {component.name}",
                next_step="Let the load command read its input to the end, then restore again.",
                discretion=Discretion.of(content.objects, content.application.components),
                stdin=_pieces(dump.pieces, context, dump.size_bytes),
            )
        if done.stdin_bytes != dump.size_bytes:
            raise DamagedError(
                f"the dump of {component.name} was not loaded whole",
                why=f"{done.stdin_bytes} of {dump.size_bytes} bytes were taken",
                next_step="Restore again.",
            )
        return outcome(DumpLoaded, order, source=order.dump.source, bytes_written=done.stdin_bytes)


class _Dump(msgspec.Struct, frozen=True):
    """What a load command is given to read."""

    pieces: Iterator[bytes]
    size_bytes: int


def loads_from_volumes(component: CapturedComponent) -> bool:
    """Whether the component's load command works on its restored volumes."""
    of_volumes = component.strategy in ("snapshot", "one-replica") or component.data_of
    return bool(of_volumes) and component.load is not None and component.dump is None


def _open(held: HeldRepository, content: VersionContent, component: CapturedComponent) -> _Dump:
    if loads_from_volumes(component):
        return _Dump(iter(()), 0)
    reader = Reader(held.repository)
    node = reader.find(content.root, dump_source(component.name))
    return _Dump(reader.iter_file(node), node.size_bytes)


async def _pieces(read: Iterator[bytes], context: StepContext, total: int) -> AsyncIterator[bytes]:
    done = 0
    while (piece := await asyncio.to_thread(next, read, b"")) != b"":
        yield piece
        done += len(piece)
        context.progress(done, total)


def _component(content: VersionContent, name: str) -> CapturedComponent:
    found = next((p for p in content.application.components if p.name == name), None)
    if found is None:
        raise InvalidInputError(f"the version has no component {name}")
    return found
