"""Waiting until one object is as it should be, by watching it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from appshield.errors import DeadlineError
from appshield.kubernetes.kinds import Kind, Object
from appshield.kubernetes.readiness import ready as readiness_of
from appshield.kubernetes.requests import Requests
from appshield.kubernetes.watching import Reflector

Ready = Callable[[Object | None], bool]


class Reader(Protocol):
    """What waiting needs of a `Cluster`."""

    @property
    def requests(self) -> Requests:
        """Sends calls to the API server."""

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Return the object, None when it is not there."""


class _States:
    """The sink of a reflector that follows one object: its states in order, None when gone."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Object | None] = asyncio.Queue()

    async def replace(self, objects: list[Object]) -> None:
        self.queue.put_nowait(objects[0] if objects else None)

    async def changed(self, obj: Object) -> None:
        self.queue.put_nowait(obj)

    async def deleted(self, obj: Object) -> None:  # noqa: ARG002 - the protocol's shape
        self.queue.put_nowait(None)


async def wait_for(
    cluster: Reader,
    kind: Kind,
    name: str,
    namespace: str,
    ready: Ready,
    *,
    timeout_s: float,
    what: str,
) -> Object:
    """Return the first state that `ready` accepts, beginning with the present one.

    Waiting for an object to go (`ready(None)` is true) returns its last state, or an empty one.
    What `ready` raises goes to the caller, and so does a failure of the first look. Raises
    DeadlineError with the last state's reason.
    """
    states = _States()
    reflector = Reflector(
        cluster,
        kind,
        namespace=namespace if kind.namespaced else "",
        field_selector=f"metadata.name={name}",
        sink=states,
    )
    following: asyncio.Task[None] | None = None
    stopping = asyncio.Event()
    last: Object | None = None
    seen: Object = {}
    try:
        async with asyncio.timeout(timeout_s):
            last = await cluster.get(kind, name, namespace)
            while not ready(last):
                seen = last or seen
                following = following or asyncio.create_task(reflector.run(stopping))
                last = await states.queue.get()
            return last or seen
    except TimeoutError as error:
        raise DeadlineError(
            f"{kind.described(name, namespace)} was not {what} within {timeout_s:g} s",
            why=reflector.problem or _reason(last),
            next_step=f"Look at it with `kubectl describe {kind.resource} {name}`.",
        ) from error
    finally:
        stopping.set()
        if following:
            await following


def _reason(last: Object | None) -> str:
    if last is None:
        return "it does not exist"
    return readiness_of(last).reason
