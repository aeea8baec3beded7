"""Commands over REST: once for each key, only with every right that they need, and honest links."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from litestar.testing import AsyncTestClient
from msgspec.structs import replace

from appshield.bus import Receipt
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.message import Message
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCheck,
    RequestForget,
    RequestGate,
    RequestPause,
    RequestPin,
    RequestRestore,
)
from appshield.contracts.runs import RestoreProgress, Run, Trigger
from appshield.contracts.streams import APPLICATIONS, CATALOG, REQUESTS, RUNS, SIGNALS
from appshield.errors import UnavailableError
from appshield.gateway.api.application import PATH, api
from memory_bus import MemoryBus
from planned_versions import NOW, version
from planner_world import APP
from rest_api import client_of, rest_api, rest_backend

SHOP = f"{PATH}/applications/shop/shop"
KINDS = ("ConfigMap", "Deployment.apps", "Namespace")
RESTORER = frozenset(
    {
        ("list", "applications", "shop"),
        ("get", "versions/data", "shop"),
        ("create", "restores", "shop"),
        ("create", "restores", "copy"),
        ("create", "restores", "absent"),
        ("create", "configmaps.", "copy"),
        ("create", "configmaps.", "absent"),
        ("create", "deployments.apps", "absent"),
    }
)


class ForgetfulBus(MemoryBus):
    """Loses the connection before the next request is stored, once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def publish(self, message: Message, *, subject: str | None = None) -> Receipt:
        if self.away:
            raise UnavailableError("the bus is away")
        return await super().publish(message, subject=subject)


@pytest.fixture
async def bus() -> ForgetfulBus:
    """An application with two versions; of the first it is not known what it holds."""
    bus = ForgetfulBus()
    record = ApplicationRecord(
        app_id="a-1", app=APP, uid="u", vault="primary", state="active", last_version=2
    )
    await bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", record)
    versions = bus.bucket(CATALOG, VersionRecord)
    await versions.put("a-1.1", version(1))
    whole = version(2)
    await versions.put("a-1.2", replace(whole, facts=replace(whole.facts, kinds=KINDS)))
    return bus


async def put_run(bus: MemoryBus, **changes: Any) -> None:
    """Let there be a restore of the application."""
    run = Run(
        id="r-" + "0" * 20,
        kind="restore",
        app=APP,
        app_id="a-1",
        vault="primary",
        trigger=Trigger(kind="manual", identity="request/x"),
        state="awaiting-approval",
        epoch=1,
        requested_at=NOW,
        needs_approval=True,
        restore=RestoreProgress(version=2, snapshot_id="s-2", target_namespace="copy"),
    )
    await bus.bucket(RUNS, Run).put(run.id, replace(run, **changes))


def keyed(key: str) -> Mapping[str, str]:
    """Give the header of a key."""
    return {"Idempotency-Key": key}


def asked(bus: MemoryBus) -> list[Message]:
    """List what was asked for."""
    return bus.published(REQUESTS)


async def test_a_command_answers_with_its_run(bus: ForgetfulBus) -> None:
    """The run is pending as long as no planner has taken it up."""
    async with client_of(rest_api(bus)) as client:
        answer = await client.post(f"{SHOP}/backups", json={"reason": "before the move"})
        assert answer.status_code == 202
        taken = answer.json()
        assert answer.headers["Location"] == taken["links"]["run"] == f"{PATH}/runs/{taken['run']}"
        run = (await client.get(taken["links"]["run"])).json()
    assert (run["summary"]["state"], run["summary"]["trigger"]["actor"]) == ("pending", "admin")
    assert "no planner" in run["summary"]["waits_for"]
    (request,) = asked(bus)
    assert isinstance(request, RequestBackup)
    assert (request.reason, request.actor) == ("before the move", "admin")


async def test_the_same_key_is_the_same_run(bus: ForgetfulBus) -> None:
    """Of the same caller at the same place; however its JSON is written."""
    async with client_of(rest_api(bus)) as client:
        answers = [
            await client.post(f"{SHOP}/backups", content=body, headers=keyed("one"))
            for body in (b'{"reason":"x","rule":""}', b'{ "rule": "", "reason": "x" }')
        ]
        other = await client.post(f"{SHOP}/backups", json={}, headers=keyed("two"))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run"] for answer in answers}) == 1
    assert other.json()["run"] != answers[0].json()["run"]
    assert len(asked(bus)) == 2


async def test_another_body_under_the_same_key_is_refused(bus: ForgetfulBus) -> None:
    """And nothing is asked for; so is another query."""
    async with client_of(rest_api(bus)) as client:
        await client.post(f"{SHOP}/backups", json={"reason": "x"}, headers=keyed("one"))
        answer = await client.post(f"{SHOP}/backups", json={"reason": "y"}, headers=keyed("one"))
        assert answer.status_code == 422
        assert "Idempotency-Key" in answer.json()["detail"]
        for number, status in ((1, 202), (2, 422)):
            query = f"?vault=v{number}"
            answer = await client.delete(f"{SHOP}/versions/2{query}", headers=keyed("three"))
            assert answer.status_code == status
    assert len(asked(bus)) == 2


async def test_keys_of_others_are_other_keys(bus: ForgetfulBus) -> None:
    """Nobody learns or takes another's run by guessing a key."""
    rights = {"ben": frozenset({("create", "backups", "shop")})}
    runs = []
    for name in ("admin", "ben"):
        async with client_of(rest_api(bus, rights), name) as client:
            answer = await client.post(f"{SHOP}/backups", json={}, headers=keyed("one"))
            runs.append(answer.json()["run"])
    assert runs[0] != runs[1]


async def test_nobody_else_can_tell_which_run_a_key_becomes(bus: ForgetfulBus) -> None:
    """Keys may be as plain as `deploy-1`: who knows all of a request does not know its identity.

    They could have the bus take it for a repeated one, which is stored nowhere.
    """
    backend = rest_backend(bus)
    runs = []
    for identity_key in (backend.identity_key, b"of others"):
        other = api(dataclasses.replace(backend, identity_key=identity_key), "0.0.0")
        async with client_of(other) as client:
            answer = await client.post(f"{SHOP}/backups", json={}, headers=keyed("deploy-1"))
            runs.append(answer.json()["run"])
    assert runs[0] != runs[1]


async def test_a_gateway_that_dies_before_it_published_is_gone_on_with(bus: ForgetfulBus) -> None:
    """Another one, asked with the same key, publishes what was written down; then never again."""
    bus.away = True
    async with client_of(rest_api(bus)) as client:
        answer = await client.post(f"{SHOP}/backups", json={}, headers=keyed("one"))
    assert (answer.status_code, asked(bus)) == (503, [])
    bus.away = False
    async with client_of(rest_api(bus)) as client:
        runs = [
            (await client.post(f"{SHOP}/backups", json={}, headers=keyed("one"))).json()["run"]
            for _ in range(2)
        ]
    bus.forget_duplicates()
    async with client_of(rest_api(bus)) as client:
        await client.post(f"{SHOP}/backups", json={}, headers=keyed("one"))
    assert len(set(runs)) == len(asked(bus)) == 1


async def test_what_is_unknown_or_misspelt_is_told_before_anything_is_asked(
    bus: ForgetfulBus,
) -> None:
    """Unknown fields, versions, applications, contradictions."""
    async with client_of(rest_api(bus)) as client:
        for path, body, status, says in (
            ("/backups", {"reson": "x"}, 400, "reson"),
            ("/restores", {"version": 9}, 404, "no version 9"),
            ("/restores", {"version": 0}, 400, ">= 1"),
            ("/restores", {"version": 2, "delete_extra": True}, 400, "extra files"),
            ("/restores", {"version": 2, "target_namespace": "No Place"}, 400, "no application"),
            ("x/backups", {}, 404, "is unknown"),
            ("/versions/9/copies", {"vault": "offsite"}, 404, "no version 9"),
            ("/maintenance", {"task": "burn"}, 400, "burn"),
        ):
            answer = await client.post(SHOP + path, json=body)
            assert (answer.status_code, path) == (status, path)
            assert says in answer.text, path
    assert asked(bus) == []


async def test_every_command_asks_for_what_it_says(bus: ForgetfulBus) -> None:
    """With the names that the planner knows them by."""
    await put_run(bus)
    async with client_of(rest_api(bus)) as client:
        sent = [
            await client.post(f"{SHOP}/gate", json={"before": "delete", "about": "web"}),
            await client.post(f"{SHOP}/pause", json={"reason": "the move"}),
            await client.post(f"{SHOP}/resume"),
            await client.put(f"{SHOP}/versions/2/pin"),
            await client.delete(f"{SHOP}/versions/2/pin"),
            await client.post(f"{SHOP}/versions/2/copies", json={"vault": "offsite"}),
            await client.delete(f"{SHOP}/versions/2?even_last=true&vault=primary&reason=old"),
            await client.post(f"{SHOP}/maintenance", json={"task": "check", "contents": "all"}),
            await client.post(f"{SHOP}/maintenance", json={"task": "prune", "grace_s": 0}),
            await client.post(f"{SHOP}/maintenance", json={"task": "repair", "vault": "offsite"}),
            await client.post(f"{PATH}/vaults/primary/rebuild"),
            await client.post(f"{PATH}/runs/r-{'0' * 20}/approve"),
            await client.post(f"{PATH}/runs/r-{'0' * 20}/cancel"),
        ]
    assert [answer.status_code for answer in sent] == [202] * 13
    assert [one.noun for one in asked(bus)] == [
        *("gate", "pause", "pause", "pin", "pin", "copy", "forget"),
        *("check", "prune", "repair", "catalog", "approval", "run"),
    ]
    gate, pause, resume, pin, unpin, _, forget, check, *_ = asked(bus)
    assert isinstance(gate, RequestGate)
    assert (gate.operation, gate.about) == ("delete", "web")
    assert isinstance(pause, RequestPause)
    assert isinstance(resume, RequestPause)
    assert (pause.paused, pause.reason, resume.paused) == (True, "the move", False)
    assert isinstance(pin, RequestPin)
    assert isinstance(unpin, RequestPin)
    assert (pin.pinned, unpin.pinned) == (True, False)
    assert isinstance(forget, RequestForget)
    assert (forget.versions, forget.even_last, forget.vault) == ((2,), True, "primary")
    assert isinstance(check, RequestCheck)
    assert (check.vault, check.parts) == ("primary", 1)


async def test_a_run_that_does_not_wait_is_not_approved(bus: ForgetfulBus) -> None:
    """Nor is one cancelled that has ended; the same key says again what it said."""
    await put_run(bus)
    approve = f"{PATH}/runs/r-{'0' * 20}/approve"
    async with client_of(rest_api(bus)) as client:
        first = await client.post(approve, headers=keyed("yes"))
        await put_run(bus, state="succeeded")
        assert (await client.post(approve, headers=keyed("yes"))).json() == first.json()
        assert (await client.post(approve)).status_code == 409
        assert (await client.post(approve.replace("approve", "cancel"))).status_code == 409
    assert [type(one) for one in asked(bus)] == [RequestApprove]


async def test_who_approves_needs_that_right_where_it_is_restored_to_as_well(
    bus: ForgetfulBus,
) -> None:
    """Seeing the run is not enough."""
    await put_run(bus)
    approve = f"{PATH}/runs/r-{'0' * 20}/approve"
    here = {("list", "runs", "shop"), ("update", "restores/approval", "shop")}
    there = here | {("update", "restores/approval", "copy")}
    for rights, status in ((here, 403), (there, 202)):
        async with client_of(rest_api(bus, {"ann": frozenset(rights)}), "ann") as client:
            assert (await client.post(approve)).status_code == status


async def restored(client: AsyncTestClient[Any], target: str = "", **more: Any) -> tuple[int, str]:
    """Ask for a restore of version 2 into a namespace; say how that went."""
    body = {"version": 2, "target_namespace": target, **more}
    answer = await client.post(f"{SHOP}/restores", json=body)
    return answer.status_code, answer.json().get("detail", "")


async def test_a_restore_needs_create_of_every_kind_that_it_makes(bus: ForgetfulBus) -> None:
    """In the target namespace; each that is missing is named. A part needs its own kinds only."""
    async with client_of(rest_api(bus, {"ann": RESTORER}), "ann") as client:
        status, why = await restored(client, "copy")
        assert status == 403
        assert "create deployments.apps in copy" in why
        assert "configmaps" not in why
        assert "namespaces" not in why
        status, why = await restored(client, "absent")
        assert (status, "create namespaces in the whole cluster" in why) == (403, True)
        assert (await restored(client, "copy", paths=["manifests/configmap/*"]))[0] == 202
        status, why = await restored(client, "copy", paths=["manifests/configmap"], existing=True)
        assert (status, "update configmaps in copy" in why) == (403, True)
        status, why = await restored(client, "copy", paths=["volumes/data"])
        assert (status, "create persistentvolumeclaims in copy" in why) == (403, True)
        assert (await restored(client, "copy", dry_run=True))[0] == 202
    assert all(isinstance(one, RequestRestore) for one in asked(bus))
    assert len(asked(bus)) == 2


async def test_a_restore_needs_its_own_right_in_both_namespaces(bus: ForgetfulBus) -> None:
    """And to read the version's data."""
    kinds = frozenset(("create", kind, "copy") for kind in ("configmaps.", "deployments.apps"))
    whole = kinds | RESTORER
    for lacking in (
        ("create", "restores", "shop"),
        ("create", "restores", "copy"),
        ("get", "versions/data", "shop"),
    ):
        async with client_of(rest_api(bus, {"ann": whole - {lacking}}), "ann") as client:
            status, why = await restored(client, "copy")
        assert (status, f"{lacking[0]} {lacking[1]}.appshield.io" in why) == (403, True)
    async with client_of(rest_api(bus, {"ann": whole}), "ann") as client:
        assert (await restored(client, "copy"))[0] == 202


async def test_a_version_whose_kinds_nobody_wrote_down_needs_the_right_to_all(
    bus: ForgetfulBus,
) -> None:
    """What is not known is not assumed to be harmless."""
    rights = RESTORER | {("create", "configmaps.", "copy"), ("create", "deployments.apps", "copy")}
    body = {"version": 1, "target_namespace": "copy"}
    async with client_of(rest_api(bus, {"ann": rights}), "ann") as client:
        assert (await client.post(f"{SHOP}/restores", json=body)).status_code == 403
    whole = rights | {("create", "*.*", "copy")}
    async with client_of(rest_api(bus, {"ann": whole}), "ann") as client:
        assert (await client.post(f"{SHOP}/restores", json=body)).status_code == 202


async def test_a_signal_is_stored_once_for_a_key(bus: ForgetfulBus) -> None:
    """As another tool would publish it; a name that is none is refused."""
    async with client_of(rest_api(bus)) as client:
        for duplicate in (False, True):
            answer = await client.post(
                f"{PATH}/signals/deployed", json={"app": "shop"}, headers=keyed("one")
            )
            assert answer.json() == {"signal": "deployed", "duplicate": duplicate}
        assert (await client.post(f"{PATH}/signals/No*", json={})).status_code == 400
    assert [one.body for one in bus.stored(SIGNALS)] == [b'{"app":"shop"}']
