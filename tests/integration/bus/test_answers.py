"""What the server answers goes to who asked, and is kept nowhere. On a real server.

It sends an answer wherever the asker wants it, past what the asker may publish: what permissions
forbid to say could be had said by the server, with the key of any service or agent.
"""

from collections.abc import AsyncIterator
from itertools import product

import pytest

from appshield.bus import connect_bus
from appshield.bus.buckets import stream_of
from appshield.bus.jetstream import JetStreamBus
from appshield.bus.permissions import Allowed, allowed
from appshield.contracts import encode, subjects
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.permissions import UserSpec, users_of
from appshield.contracts.requests import RequestBackup
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import (
    AUDIT,
    CATALOG,
    COMMANDS,
    GRANTS,
    OBSERVATIONS,
    REQUESTS,
    RUNS,
)
from appshield.errors import DeniedError, UnavailableError
from appshield.local.embedded.bus_configuration import is_guarded
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import APP, put, running_bus, scratch_stream, subject_in

NODE = "node-1"
BODIES = (encode(RequestBackup(app=APP, request_id="asked")), b'{"batch":1,"no_wait":true}', b"")
USERS = [user for user in users_of("test", NODE) if is_guarded(user)]


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBus]:
    """A server whose streams may be filled with anything."""
    folder = tmp_path_factory.mktemp("answers")
    async with running_bus(folder, users_of("test", NODE)) as running:
        async with connect_bus(running.access("planner"), name="setup") as planner:
            await planner.ensure_topology()
            for service in ("uploader", "restorer"):
                await planner.ensure_consumer(agent_consumer(service, "test", NODE))
        yield running


@pytest.mark.parametrize("user", USERS, ids=[user.name for user in USERS])
async def test_no_answer_is_kept_or_obeyed_wherever_it_is_sent(
    server: EmbeddedBus, user: UserSpec
) -> None:
    """Not as a key of a bucket, an order, a wish, or an entry of the audit; no stream is removed.

    Of all that a user may ask, everything is asked and the answer to it sent everywhere.
    """
    scratch = scratch_stream()
    may = allowed(user)
    places = [one for one in _places(scratch) if not _may_publish(may, one[1])]
    asked = [one.replace("*", "x").replace(">", "x.y") for one in may.publish]
    async with (
        connect_bus(server.access("tester"), name="test") as tester,
        connect_bus(server.access(user.name), name="thief") as thief,
    ):
        assert isinstance(tester, JetStreamBus)
        assert isinstance(thief, JetStreamBus)
        await tester.ensure_stream(scratch)
        await put(tester, scratch, user.name, name="kept")
        before = await _kept(tester, places)
        for (_, place), ask, body in product(places, asked, BODIES):
            await thief._connection.send(ask, body, reply=place)
        for ask in asked:  # whose answers come after those of what was sent before
            await _answered(thief, ask)
        assert await _kept(tester, places) == before
        assert [one.subject async for one in tester.read(scratch)] == [subject_in(scratch, "kept")]


def test_all_but_those_who_administer_are_guarded() -> None:
    """Planner and installer may make and remove streams anyway."""
    others = {user.name for user in users_of("test", NODE)} - {user.name for user in USERS}
    assert others == {"planner", "installer"}


def _places(scratch: StreamSpec) -> list[tuple[str, str]]:
    """List where an answer would destroy something, or be somebody else's word, by stream."""
    return [
        *((stream_of(one), f"$KV.{one.name}.victim") for one in (CATALOG, RUNS, GRANTS)),
        (COMMANDS.name, subjects.command("version", "forget", APP)),
        (REQUESTS.name, subjects.request("forget", APP, door="bus", actor="victim")),
        (OBSERVATIONS.name, subjects.audit("victim")),
        (AUDIT.name, subjects.AUDITED),
        (scratch.name, subject_in(scratch)),
        (scratch.name, f"$JS.API.STREAM.PURGE.{scratch.name}"),
        (scratch.name, f"$JS.API.STREAM.DELETE.{scratch.name}"),
    ]


def _may_publish(may: Allowed, subject: str) -> bool:
    given = any(subjects.matches(subject, pattern) for pattern in may.publish)
    return given and subject not in may.publish_denied


async def _kept(tester: JetStreamBus, places: list[tuple[str, str]]) -> list[int]:
    """Say what is the newest that is kept in each place, 0 for nothing."""
    found = [await tester._api.message(stream, last_by_subj=place) for stream, place in places]
    return [one.sequence if one else 0 for one in found]


async def _answered(thief: JetStreamBus, ask: str) -> None:
    """Ask in earnest; some questions have no answer."""
    try:
        await thief._connection.request(ask, b'{"batch":1,"no_wait":true}', timeout_s=0.3)
    except (UnavailableError, DeniedError):
        return
