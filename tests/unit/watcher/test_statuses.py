"""The status says what the registry knows, and survives a cluster that is away for a while."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import (
    ApplicationRecord,
    MeasuredRestore,
    Protection,
    Rpo,
    RpoState,
    Rto,
    RtoState,
    SignalProblem,
)
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import APPLICATIONS
from appshield.errors import UnavailableError
from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.kinds import APPLICATION, EVENT
from appshield.watcher.statuses import Statuses, status_of
from fake_kubernetes import FakeKubernetes
from memory_bus import MemoryBus
from waiting import wait_until

APP = AppRef(cluster="test", namespace="shop", name="shop")
RECORD = ApplicationRecord(
    app_id="a-1",
    app=APP,
    uid="u-1",
    vault="primary",
    state="active",
    revision="r-1",
    last_version=3,
    last_backup_at=datetime(2026, 11, 24, 12, 0, 1, 500_000, tzinfo=UTC),
)


def application(**status: object) -> Object:
    made: Object = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "shop",
            "namespace": "shop",
            "uid": "u-1",
            "generation": 4,
            "creationTimestamp": "2026-11-01T00:00:00Z",
        },
        "spec": {"type": "web"},
    }
    return made | ({"status": status} if status else {})


def accepted(status: Object) -> Object:
    found: Object = next(c for c in status["conditions"] if c["type"] == "Accepted")
    return found


def test_an_accepted_document_is_said_to_be_in_force() -> None:
    """With its history, its newest version and the spec to fall back on."""
    status = status_of(RECORD, application())
    assert (status["applicationId"], status["revision"], status["lastVersion"]) == ("a-1", "r-1", 3)
    assert status["lastBackupAt"] == "2026-11-24T12:00:01Z"
    assert status["inForce"] == '{"type": "web"}'
    assert (accepted(status)["status"], accepted(status)["reason"]) == ("True", "Accepted")


def test_a_refused_document_is_said_with_the_reason_and_keeps_what_was_in_force() -> None:
    """The condition changes its time only when it changes."""
    before = status_of(RECORD, application())
    wrong = application(**before) | {"spec": {"type": "web", "wrong": 1}}
    status = status_of(replace(RECORD, refused="spec.wrong is unknown"), wrong)
    assert (accepted(status)["status"], accepted(status)["reason"]) == ("False", "Refused")
    assert accepted(status)["message"] == "spec.wrong is unknown"
    assert status["inForce"] == before["inForce"]
    kept = {**accepted(status), "lastTransitionTime": "2026-11-20T00:00:00Z"}
    again = status_of(
        replace(RECORD, refused="another"), wrong | {"status": {"conditions": [kept]}}
    )
    assert accepted(again)["lastTransitionTime"] == "2026-11-20T00:00:00Z"


def promised(*rpo_s: int) -> ApplicationRecord:
    rules = [Protection(name=f"p/{one}", trigger="rpo", rpo_s=one) for one in rpo_s]
    return replace(RECORD, protections=(Protection(name="own", trigger="manual"), *rules))


def test_the_strictest_promise_of_all_rules_in_force_is_said() -> None:
    """Policies' rules count as the document's own."""
    assert status_of(promised(7200, 3600), application())["rpo"] == "1h"
    assert "rpo" not in status_of(promised(), application())
    assert status_of(promised(), application(rpo="1h"))["rpo"] is None


class Place:
    def __init__(self, fake: FakeKubernetes, cluster: Cluster, uid: str) -> None:
        self.fake = fake
        self.cluster = cluster
        self.record = replace(RECORD, uid=uid)
        self.bus = MemoryBus("watcher")
        self.stopping = asyncio.Event()
        records = self.bus.bucket(APPLICATIONS, ApplicationRecord)
        statuses = Statuses(records=records, cluster=cluster, cluster_name="test")
        self.writing = asyncio.create_task(statuses.keep_written(self.stopping))

    async def learn(self, record: ApplicationRecord) -> None:
        await self.bus.bucket(APPLICATIONS, ApplicationRecord).put(record.app_id, record)

    def status(self) -> Object:
        found = self.fake.take(APPLICATION, "shop", "shop") or {}
        return dict(found.get("status") or {})

    async def until_version(self, number: int) -> None:
        await wait_until(
            lambda: self.status().get("lastVersion") == number,
            deadline_s=20,
            what=f"version {number} in the status",
        )


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeKubernetes() as fake:
        fake.serve(APPLICATION)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        stored = fake.put(application())
        async with fake.cluster() as cluster:
            made = Place(fake, cluster, stored["metadata"]["uid"])
            yield made
            made.stopping.set()
            await made.writing


async def test_what_changes_in_the_registry_is_written(place: Place) -> None:
    """One after the other."""
    await place.learn(place.record)
    await place.until_version(3)
    await place.learn(replace(place.record, last_version=4))
    await place.until_version(4)


@pytest.mark.parametrize(
    "change",
    [
        {
            "policies": ("gold",),
            "protections": (
                Protection(name="gold/nightly", trigger="schedule", schedule="@daily"),
            ),
            "findings": ("doubled",),
        },
        {
            "active_run": "b-1",
            "highest_version": 4,
            "begun": {"nightly": (datetime(2026, 11, 24, tzinfo=UTC),)},
        },
        {"pending_runs": ("b-2",), "awaiting_approval": ("r-1",)},
    ],
    ids=["policies", "a run that begins", "runs that wait"],
)
async def test_what_no_status_says_asks_nothing_of_the_cluster(
    place: Place, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    """One policy may concern thousands, and runs come and go; only another promise is said."""
    await place.learn(place.record)
    await place.until_version(3)
    asked: list[str] = []
    get = place.cluster.get

    async def counted(kind: Kind, name: str, namespace: str = "") -> Object | None:
        asked.append(name)
        return await get(kind, name, namespace)

    monkeypatch.setattr(place.cluster, "get", counted)
    changed = replace(place.record, **change)
    await place.learn(changed)
    await place.learn(replace(place.record, app_id="a-9", app=replace(APP, name="b")))
    await wait_until(lambda: "b" in asked, deadline_s=30, what="the next one is asked for")
    assert asked == ["b"]
    await place.learn(replace(changed, protections=promised(3600).protections))
    await wait_until(
        lambda: place.status().get("rpo") == "1h", deadline_s=20, what="the promise in the status"
    )
    assert asked == ["b", "shop"]


async def test_a_status_is_written_when_the_cluster_is_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else would write it: the next change may be days away."""
    away = UnavailableError("the API server is away")
    get, answers = place.cluster.get, [away, away]

    async def flaky(kind: Kind, name: str, namespace: str = "") -> Object | None:
        if answers:
            raise answers.pop()
        return await get(kind, name, namespace)

    monkeypatch.setattr(place.cluster, "get", flaky)
    await place.learn(place.record)
    await place.until_version(3)


async def test_one_that_cannot_be_written_holds_up_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is written when it can be, with what is newest then."""
    place.fake.put(
        other := application() | {"metadata": {**application()["metadata"], "name": "b"}}
    )
    get, open_again = place.cluster.get, asyncio.Event()

    async def held(kind: Kind, name: str, namespace: str = "") -> Object | None:
        if name == "shop":
            await open_again.wait()
        return await get(kind, name, namespace)

    monkeypatch.setattr(place.cluster, "get", held)
    await place.learn(place.record)
    uid = (place.fake.take(APPLICATION, "b", "shop") or other)["metadata"]["uid"]
    second = replace(place.record, app_id="a-9", app=replace(APP, name="b"), uid=uid)
    await place.learn(second)
    await wait_until(
        lambda: ((place.fake.take(APPLICATION, "b", "shop") or {}).get("status") or {}) != {},
        deadline_s=20,
        what="the other is written",
    )
    await place.learn(replace(place.record, last_version=4))
    await place.learn(replace(place.record, last_version=5))
    open_again.set()
    await place.until_version(5)


async def test_other_histories_and_other_clusters_are_not_written(place: Place) -> None:
    """An orphan of the same name says nothing about the object that is there now."""
    await place.learn(replace(place.record, app_id="a-0", state="orphaned", last_version=9))
    await place.learn(replace(place.record, app_id="a-2", uid="another", last_version=9))
    elsewhere = AppRef(cluster="elsewhere", namespace="shop", name="shop")
    await place.learn(replace(place.record, app_id="a-3", app=elsewhere, last_version=9))
    await place.learn(place.record)
    await place.until_version(3)


SINCE = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT_RISK = Rpo(
    promised_s=3600,
    state="at-risk",
    since=datetime(2026, 11, 24, 12, 50, tzinfo=UTC),
    counted_from=datetime(2026, 11, 24, 12, tzinfo=UTC),
    version=3,
)


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [("kept", "True", "Kept"), ("at-risk", "True", "AtRisk"), ("broken", "False", "Broken")],
)
def test_the_promise_about_the_newest_version_is_a_condition(
    state: RpoState, status: str, reason: str
) -> None:
    """With what is promised, and since when the age counts."""
    said = status_of(replace(RECORD, rpo=replace(AT_RISK, state=state)), application())
    found = next(one for one in said["conditions"] if one["type"] == "WithinRPO")
    assert (found["status"], found["reason"]) == (status, reason)
    assert "at most 1h old is promised; version 3 of 2026-11-24T12:00:00Z" in found["message"]


RESTORED = MeasuredRestore(
    run="r-1", version=3, took_s=700.0, ended_at=datetime(2026, 11, 24, 13, tzinfo=UTC)
)


IN_TIME = Rto(
    promised_s=900,
    state="kept",
    since=RESTORED.ended_at,
    expected_s=700,
    version=3,
    run=RESTORED.run,
)


@pytest.mark.parametrize(
    ("rto", "restore", "status", "reason", "why"),
    [
        (IN_TIME, RESTORED, "True", "Kept", "took 700 s"),
        (replace(IN_TIME, state="broken"), RESTORED, "False", "Broken", "took 700 s"),
        (replace(IN_TIME, state="unproved"), None, "Unknown", "Unproved", "nobody has restored it"),
        (
            replace(IN_TIME, state="at-risk", version=4, expected_s=1000),
            RESTORED,
            "True",
            "AtRisk",
            "one of version 4, which holds more, would take about 1000 s",
        ),
        (
            replace(IN_TIME, state="at-risk", run="r-2", expected_s=1000),
            RESTORED,
            "True",
            "AtRisk",
            "r-2, which is under way, takes about 1000 s",
        ),
    ],
)
def test_the_promise_about_a_restore_is_a_condition(
    rto: Rto, restore: MeasuredRestore | None, status: str, reason: str, why: str
) -> None:
    """Nothing is said where nothing is promised."""
    said = status_of(replace(RECORD, rto=rto, last_restore=restore), application())
    found = next(one for one in said["conditions"] if one["type"] == "WithinRTO")
    assert (found["status"], found["reason"]) == (status, reason)
    assert "at most 15m is promised" in found["message"]
    assert why in found["message"]
    silent = status_of(replace(RECORD, last_restore=restore), application())
    assert "WithinRTO" not in {one["type"] for one in silent["conditions"]}


async def test_a_restore_that_took_too_long_is_an_event_once(place: Place) -> None:
    """Others are when the next one would, and when a restore is fast enough again."""

    async def until(state: RtoState, number: int) -> list[tuple[str, str]]:
        rto = replace(IN_TIME, state=state)
        known = replace(place.record, rto=rto, last_restore=RESTORED, last_version=number)
        await place.learn(known)
        await place.until_version(number)
        found = await place.cluster.list(EVENT, namespace="shop")
        return sorted((one["reason"], one["type"]) for one in found)

    assert await until("unproved", 3) == []
    assert await until("broken", 4) == [("RecoveryTimeBroken", "Warning")]
    assert await until("broken", 5) == [("RecoveryTimeBroken", "Warning")]
    assert ("RecoveryTimeKept", "Normal") in await until("kept", 6)
    assert ("RecoveryTimeAtRisk", "Warning") in await until("at-risk", 7)


async def test_a_signal_that_a_rule_has_no_answer_for_is_a_condition_and_an_event(
    place: Place,
) -> None:
    """Until one has an answer; the same again is no event."""
    problem = SignalProblem(when="payload.app == 'a'", why="there is no 'app'", since=SINCE)

    async def until(number: int, **problems: SignalProblem) -> list[str]:
        known = replace(place.record, signal_problems=problems, last_version=number)
        await place.learn(known)
        await place.until_version(number)
        return [one["message"] for one in await place.cluster.list(EVENT, namespace="shop")]

    assert await until(3) == []
    assert await until(4, deployed=problem) == ["rule deployed: there is no 'app'"]
    [found] = [one for one in place.status()["conditions"] if one["type"] == "SignalsUnderstood"]
    assert (found["status"], found["reason"]) == ("False", "NoAnswer")
    assert len(await until(5, deployed=problem)) == 1
    await until(6)
    assert "SignalsUnderstood" not in {one["type"] for one in place.status()["conditions"]}


async def test_a_promise_at_risk_is_an_event_once_and_another_when_it_is_kept_again(
    place: Place,
) -> None:
    """Whoever looks at the application's events sees it; one look at it changes nothing."""

    async def events() -> list[tuple[str, str]]:
        found = await place.cluster.list(EVENT, namespace="shop")
        return sorted((one["reason"], one["type"]) for one in found)

    async def until(rpo: Rpo, number: int) -> None:
        await place.learn(replace(place.record, rpo=rpo, last_version=number))
        await place.until_version(number)

    await until(replace(AT_RISK, state="kept"), 3)
    assert await events() == []
    await until(AT_RISK, 4)
    await until(AT_RISK, 5)
    assert await events() == [("RecoveryPointAtRisk", "Warning")]
    await until(replace(AT_RISK, state="kept"), 6)
    assert ("RecoveryPointKept", "Normal") in await events()
