"""The audit over REST: read, exported and verified; and what this door tells it."""

import asyncio
import hashlib
import json
import re

import pytest
from msgspec.structs import replace

from appshield.audit import GENESIS, Head, link
from appshield.contracts import streams
from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef
from appshield.contracts.subjects import AUDITED
from appshield.errors import UnavailableError
from appshield.gateway.api.frame.audit import Act, audited
from appshield.gateway.api.frame.audit_on_bus import BusAuditor, Denials
from appshield.gateway.api.frame.callers import Caller
from appshield.service import SystemClock
from audit_events import AT, event
from memory_bus import MemoryBus
from rest_api import RecordedActs, client_of, rest_api
from waiting import wait_until

NOBODY = ""
VIEWER = "viewer"
PATH = "/api/v1/audit"


async def written(count: int = 12) -> MemoryBus:
    """A bus with an audit in messages of three lines."""
    bus = MemoryBus("gateway")
    head, stored = Head(chain="c0ffee"), 0
    for first in range(0, count, 3):
        events = [
            event(f"e{number}", actor=f"user-{number % 2}", run=f"b-{number}")
            for number in range(first, first + 3)
        ]
        lines, head = link(head, events, AT)
        stored = (await bus.append(AUDITED, b"\n".join(lines), after_sequence=stored)).sequence
    return bus


async def test_the_audit_comes_in_pages_the_newest_first() -> None:
    """Each page goes on where the one before ended, also in the middle of a message."""
    async with client_of(rest_api(await written())) as client:
        seen, cursor, pages = [], "", 0
        while pages < 20:
            page = (await client.get(PATH, params={"limit": 5, "cursor": cursor})).json()
            seen += [entry["sequence"] for entry in page["items"]]
            pages += 1
            if not (cursor := page.get("next") or ""):
                break
    assert seen == list(range(12, 0, -1))
    assert pages == 3


async def test_the_audit_is_filtered() -> None:
    """By who, what, on what, by which door, with which outcome, and when."""
    async with client_of(rest_api(await written())) as client:
        for asked, expected in (
            ({"actor": "USER-1"}, 6),
            ({"run": "b-3"}, 1),
            ({"namespace": "shop", "name": "shop"}, 12),
            ({"namespace": "bank"}, 0),
            ({"door": "rest"}, 0),
            ({"outcome": "admitted", "action": "backup"}, 12),
            ({"since": "2026-11-24T12:00:01Z"}, 0),
            ({"until": "2026-11-24T12:00:00Z"}, 0),
        ):
            page = (await client.get(PATH, params=asked)).json()
            assert len(page["items"]) == expected, asked
        assert (await client.get(PATH, params={"cursor": "x"})).status_code == 400
        assert (await client.get(PATH, params={"door": "window"})).status_code == 400


async def test_an_export_is_the_chain_and_is_on_record_itself() -> None:
    """As it is stored: any tool can check it."""
    acts = RecordedActs()
    async with client_of(rest_api(await written(), auditor=acts)) as client:
        answer = await client.get(f"{PATH}/export")
    assert answer.headers["Content-Type"].startswith("application/jsonl")
    previous = GENESIS
    lines = answer.content.splitlines()
    for line in lines:
        assert json.loads(line)["previous"] == previous
        previous = hashlib.sha256(line).hexdigest()
    assert len(lines) == 12
    assert [(act.action, act.object) for act in acts.acts] == [("see-audit", "export")]


async def test_only_who_may_see_the_audit_sees_it() -> None:
    """Nobody with other rights, in whatever namespace."""
    table = {VIEWER: frozenset({("get", "audits", "shop"), ("list", "applications", "")})}
    async with client_of(rest_api(await written(), table), VIEWER) as client:
        for path in (PATH, f"{PATH}/export", f"{PATH}/verification"):
            assert (await client.get(path)).status_code == 403


async def test_who_is_denied_is_on_record_with_the_right_that_is_missing() -> None:
    """And whoever is not known at all, with the address; a flood of it becomes a number."""
    acts = RecordedActs()
    api = rest_api(await written(), {VIEWER: frozenset()}, auditor=acts)
    async with client_of(api, VIEWER) as client:
        answer = await client.get(PATH)
        assert answer.status_code == 403
        for _ in range(20):
            await client.get(f"{PATH}/export")
    (first, second) = acts.acts
    assert second.object == f"GET {PATH}/export"
    assert (first.caller.name, first.action, first.outcome) == (VIEWER, "see-audit", "denied")
    assert "may not see who did what" in first.reason
    assert first.object == f"GET {PATH}"
    assert first.request_id == answer.headers["X-Request-Id"]
    acts.acts.clear()
    async with client_of(api, "stranger") as client:
        assert (await client.get(PATH)).status_code == 401
    (act,) = acts.acts
    assert (act.caller.name, act.caller.address, act.outcome) == (NOBODY, "testclient", "denied")


async def test_a_denial_that_cannot_be_told_is_a_denial_all_the_same() -> None:
    """Nothing was given, so nothing is lost by answering."""

    class Away:
        async def record(self, act: Act) -> None:
            raise UnavailableError("the bus is away")

    api = rest_api(await written(), {VIEWER: frozenset()}, auditor=Away())
    async with client_of(api, VIEWER) as client:
        assert (await client.get(PATH)).status_code == 403


async def test_what_cannot_be_told_is_not_given_out() -> None:
    """An export is refused while the audit cannot take it."""

    class Away:
        async def record(self, act: Act) -> None:
            raise UnavailableError("the bus is away")

    async with client_of(rest_api(await written(), auditor=Away())) as client:
        assert (await client.get(f"{PATH}/export")).status_code == 503


async def test_signals_are_on_record() -> None:
    """No run may become of them, so no planner tells it; of their content nothing is."""
    acts = RecordedActs()
    async with client_of(rest_api(MemoryBus("gateway"), auditor=acts)) as client:
        answer = await client.post("/api/v1/signals/deployed", json={"token": "hunter2"})
        assert answer.status_code == 202
    (begun, act) = acts.acts
    assert begun == replace(act, outcome="begun")
    assert (act.action, act.object, act.outcome) == ("signal", "signal deployed", "succeeded")
    assert "hunter2" not in repr(act)


async def test_an_act_reaches_the_audit_over_the_bus() -> None:
    """With who, from where, how they were recognized."""
    bus = MemoryBus("gateway")
    caller = Caller(name="anna", address="10.0.0.7", how="oidc")
    act = Act(
        caller=caller,
        action="read-data",
        outcome="allowed",
        namespace="shop",
        name="web",
        versions=(3,),
        paths=("volumes/data/etc/passwd",),
        size_bytes=7,
        request_id="r1",
    )
    await BusAuditor(bus, "test", SystemClock()).record(act)
    (told,) = bus.published(streams.OBSERVATIONS)
    assert isinstance(told, AuditEvent)
    assert told.app == AppRef(cluster="test", namespace="shop", name="web")
    assert (told.actor, told.address, told.authenticated_by) == ("anna", "10.0.0.7", "oidc")
    assert (told.door, told.teller, told.versions, told.size_bytes) == ("rest", "gateway", (3,), 7)


async def test_how_often_more_somebody_was_denied_is_told_without_another_try() -> None:
    """A flood that has ended leaves its number."""
    acts, denials = RecordedActs(), Denials(window_s=0.05)
    api = rest_api(await written(), {VIEWER: frozenset()}, auditor=acts)
    api.after_exception[:] = [denials.told]
    async with client_of(api, VIEWER) as client:
        for _ in range(7):
            await client.get(PATH)

        def numbers() -> int:
            found = [re.search("denied ([0-9]+) times more", act.reason) for act in acts.acts]
            told = sum(1 for one in found if one is None)
            return told + sum(int(one[1]) for one in found if one)

        await wait_until(lambda: numbers() == 7, deadline_s=30, what="seven denials told")


async def test_what_is_cut_off_while_it_is_done_has_left_its_beginning() -> None:
    """A killed gateway tells nothing more; who began what is on record by then."""
    acts = RecordedActs()
    caller = Caller(name="anna")
    act = Act(caller=caller, action="signal", outcome="succeeded", object="signal deployed")
    doing = asyncio.Event()

    async def do() -> None:
        async with audited(acts, act):
            doing.set()
            await asyncio.Event().wait()

    cut_off = asyncio.create_task(do())
    await doing.wait()
    cut_off.cancel()
    await asyncio.gather(cut_off, return_exceptions=True)
    assert acts.acts == [replace(act, outcome="begun")]


async def test_what_cannot_be_put_on_record_is_not_done() -> None:
    """Neither a document is written nor a signal sent."""

    class Away:
        async def record(self, act: Act) -> None:
            raise UnavailableError("the bus is away")

    done = False
    with pytest.raises(UnavailableError):
        async with audited(Away(), Act(caller=Caller(name="a"), action="x", outcome="succeeded")):
            done = True
    assert not done
