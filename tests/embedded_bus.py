"""Real NATS servers for tests: one for the session, and fresh ones for tests that end them.

`tester` may do everything, so that a test can make streams and buckets of its own names.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from appshield.bus import Bus, Receipt, connect_bus
from appshield.contracts import encode
from appshield.contracts.identities import AppRef
from appshield.contracts.permissions import USERS, UserSpec
from appshield.contracts.requests import RequestBackup
from appshield.contracts.stream_specs import MIB, BucketSpec, ConsumerSpec, StreamSpec
from appshield.contracts.streams import PLANNER_AUDIT
from appshield.local.embedded.message_bus import EmbeddedBus

TESTER = UserSpec(
    name="tester",
    publishes=("$JS.>", "$KV.>", ">"),
    listens=(">",),
    consumes=(PLANNER_AUDIT,),
    administers=True,
)

_numbers = itertools.count(1)
APP = AppRef(cluster="test", namespace="shop", name="web")


def scratch_stream(**limits: Any) -> StreamSpec:
    """Describe a stream with a name and subjects of its own."""
    number = next(_numbers)
    settings = {"bytes_max": MIB, **limits}
    return StreamSpec(
        name=f"APPSHIELD_TEST_{number}",
        purpose="a test",
        subjects=(f"appshield.v1.test.{number}.>",),
        **settings,
    )


def scratch_consumer(stream: StreamSpec, **limits: Any) -> ConsumerSpec:
    """Describe a consumer of everything in a stream."""
    name = f"tester-{next(_numbers)}"
    return ConsumerSpec(name=name, stream=stream.name, filters=stream.subjects, **limits)


def scratch_bucket(**limits: Any) -> BucketSpec:
    """Describe a bucket with a name of its own."""
    settings = {"bytes_max": MIB, **limits}
    return BucketSpec(name=f"APPSHIELD_TEST_{next(_numbers)}", purpose="a test", **settings)


def subject_in(stream: StreamSpec, name: str = "one") -> str:
    """Name a subject that a scratch stream keeps."""
    return stream.subjects[0].replace(">", name)


async def put(bus: Bus, stream: StreamSpec, identity: str, name: str = "one") -> Receipt:
    """Publish a request called `identity` into a scratch stream."""
    request = RequestBackup(app=APP, request_id=identity)
    return await bus.publish_raw(subject_in(stream, name), encode(request), message_id=identity)


@asynccontextmanager
async def running_bus(
    folder: Path, users: tuple[UserSpec, ...] = USERS
) -> AsyncIterator[EmbeddedBus]:
    """Run a server of one's own for the time of the block."""
    async with EmbeddedBus(folder, users=(*users, TESTER)) as server:
        yield server


@pytest.fixture(scope="session")
async def embedded_bus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBus]:
    """One server for the session."""
    async with running_bus(tmp_path_factory.mktemp("bus")) as server:
        yield server


@pytest.fixture(scope="session")
async def bus(embedded_bus: EmbeddedBus) -> AsyncIterator[Bus]:
    """A connection to it as `tester`."""
    async with connect_bus(embedded_bus.access("tester"), name="tests") as connected:
        await connected.ensure_topology()
        yield connected
