"""The supervisor of a local cluster: a process of its own that runs and restarts all components.

`cluster_up` starts it inside the network namespace of the node, detached from whoever called. It
holds a lock as long as it lives, keeps a note of what runs (`state.py`), and ends everything in
order on SIGTERM. Two steps between the components are its own: the first images are pushed to the
registry before the kubelet needs them, and the objects of the cluster are applied before those
controllers start that need them.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from appshield.errors import AppShieldError
from appshield.local.cluster.building import Parts
from appshield.local.cluster.components import IMAGES, OBJECTS, components
from appshield.local.cluster.images import Image, Symlink, build_image, push_image
from appshield.local.cluster.keeping import Keeper
from appshield.local.cluster.locking import try_lock
from appshield.local.cluster.objects import apply_objects, cluster_objects, definitions
from appshield.local.cluster.settings import ClusterSettings
from appshield.local.cluster.state import StateFile
from appshield.local.cluster.waiting import Backoff

_log = logging.getLogger(__name__)

_ENDED_LAST = ("kube-apiserver", "etcd")
"""Others still write their last words to these."""


async def supervise(settings: ClusterSettings, parts: Parts, plan: str) -> None:
    """Run the cluster until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    state = StateFile(settings.layout.state, plan)
    all_components = components(settings, parts)
    ready = {name: asyncio.Event() for name in (IMAGES, OBJECTS)}
    ready |= {component.name: asyncio.Event() for component in all_components}
    keeper = Keeper(settings.layout, state, ready)

    async def push_images() -> None:
        await ready["registry"].wait()
        state.images(await _push_images(settings, parts))

    async def apply() -> None:
        await ready["kube-apiserver"].wait()
        wanted = [*definitions(parts.definitions), *cluster_objects()]
        await apply_objects(settings, wanted)

    tasks = {
        component.name: asyncio.create_task(keeper.keep(component)) for component in all_components
    }
    for name, step in ((IMAGES, push_images), (OBJECTS, apply)):
        tasks[name] = asyncio.create_task(_do_step(name, step, ready[name], state))
    stopping = asyncio.create_task(stop.wait())
    await _first_failure(stopping, set(tasks.values()))
    _log.info("stopping")
    await _cancel([task for name, task in tasks.items() if name not in _ENDED_LAST])
    for name in _ENDED_LAST:
        await _cancel([tasks[name]])


async def _first_failure(stopping: asyncio.Task[bool], tasks: set[asyncio.Task[None]]) -> None:
    """Return when `stopping` is over or one of the tasks has failed."""
    pending: set[asyncio.Task[Any]] = {stopping, *tasks}
    while not stopping.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if any(task.exception() for task in done):
            stopping.cancel()
            return


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            _log.error("a task of the supervisor failed: %r", result)


async def _do_step(
    name: str, step: Callable[[], Awaitable[None]], done: asyncio.Event, state: StateFile
) -> None:
    """Do it until it succeeds: what it needs may restart meanwhile."""
    pauses = Backoff(first_s=0.2, longest_s=5.0)
    while True:
        try:
            await step()
        except (AppShieldError, aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.warning("the step %s failed and is done again: %s", name, error)
            await asyncio.sleep(pauses.next_s())
        else:
            state.done(name)
            done.set()
            _log.info("the step %s is done", name)
            return


async def _push_images(settings: ClusterSettings, parts: Parts) -> dict[str, str]:
    images = [pause_image(parts), await busybox_image(parts)]
    return {image.name: await push_image(image, settings.addresses.registry) for image in images}


def pause_image(parts: Parts) -> Image:
    """The image that holds the namespaces of each pod."""
    files = {"pause": parts.program("pause").read_bytes()}
    return build_image(files, name="pause", tag="1", entrypoint=["/pause"], user="65535:65535")


async def busybox_image(parts: Parts) -> Image:
    """A shell and small tools, for tests and for a look around."""
    busybox = parts.system("busybox")
    listing = await asyncio.create_subprocess_exec(
        busybox, "--list", stdout=asyncio.subprocess.PIPE
    )
    names, _ = await asyncio.wait_for(listing.communicate(), timeout=10)
    files: dict[str, bytes | Symlink] = {
        f"bin/{name}": Symlink("busybox") for name in names.decode().split()
    }
    files["bin/busybox"] = busybox.read_bytes()
    return build_image(files, name="busybox", tag="1", cmd=["sh"], env={"PATH": "/bin"})


def main() -> None:
    """Read the command line and supervise. Ends at once when another supervisor lives."""
    parser = argparse.ArgumentParser(prog="supervise", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--parts", type=Path, required=True)
    parser.add_argument("--plan", required=True)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = ClusterSettings(home=chosen.home, cache=chosen.cache, name=chosen.name)
    if try_lock(settings.layout.supervisor_lock) is None:
        sys.exit("another supervisor of this cluster is alive")
    asyncio.run(supervise(settings, Parts(chosen.parts), chosen.plan))


if __name__ == "__main__":
    main()
