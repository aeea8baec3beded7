"""Which promises were kept: computed by hand here, by the report there."""

from datetime import UTC, datetime, timedelta

import pytest

from appshield.contracts.applications import ApplicationRecord, MeasuredRestore, Rpo
from appshield.contracts.identities import AppRef, RunKind
from appshield.contracts.runs import RunState
from appshield.contracts.streams import APPLICATIONS
from appshield.doors.objectives import Span, report
from appshield.doors.reporting import as_csv
from appshield.doors.run_rows import RunRow
from appshield.gateway.api.application import PATH
from memory_bus import MemoryBus
from rest_api import CLUSTER, client_of, rest_api

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = Span(NOON, NOON + timedelta(hours=24))


def application(
    name: str, *, promised_s: int = 0, rto_s: int = 0, last_restore_s: float = 0
) -> ApplicationRecord:
    """An application that may promise something."""
    restore = MeasuredRestore(run="r", version=1, took_s=last_restore_s, ended_at=NOON)
    rpo = Rpo(promised_s=promised_s, state="kept", since=NOON, counted_from=NOON)
    return ApplicationRecord(
        app_id=f"a-{name}",
        app=AppRef(cluster=CLUSTER, namespace="shop", name=name),
        uid="u",
        vault="primary",
        state="active",
        criticality="gold",
        rpo=rpo if promised_s else None,
        rto_alert_s=rto_s,
        last_restore=restore if last_restore_s else None,
    )


def run(
    name: str,
    begins_h: float,
    lasts_h: float,
    *,
    kind: RunKind = "backup",
    state: RunState = "succeeded",
    brings_all_back: bool = True,
) -> RunRow:
    """A run that began so many hours after noon."""
    begins = NOON + timedelta(hours=begins_h)
    return RunRow(
        id=f"{kind[0]}-{begins_h}",
        kind=kind,
        cluster=CLUSTER,
        namespace="shop",
        name=name,
        app_id=f"a-{name}",
        state=state,
        requested_at=begins,
        started_at=begins,
        finished_at=begins + timedelta(hours=lasts_h),
        brings_all_back=kind == "restore" and brings_all_back,
    )


def test_a_promise_is_kept_from_the_end_of_a_backup_until_its_beginning_is_too_old() -> None:
    """Here four hours are promised: kept from 1 to 4 and from 11 to 14, broken all the rest."""
    runs = [run("web", 0, 1), run("web", 10, 1), run("web", 16, 1, state="failed")]
    (row,), days = report({"gold": [application("web", promised_s=4 * 3600)]}, {"a-web": runs}, DAY)
    assert row.rpo_kept == pytest.approx(6 / 23)
    assert row.rpo_broken_s == 17 * 3600
    first, second = (day.rpo_kept for day in days)
    assert first == pytest.approx(4 / 11)
    assert second == pytest.approx(2 / 12)


def test_backups_that_overlap_keep_a_promise_once() -> None:
    """One after the other within the promise keeps it all the time."""
    runs = [run("web", hour, 0.5) for hour in range(24)]
    (row,), _ = report({"gold": [application("web", promised_s=2 * 3600)]}, {"a-web": runs}, DAY)
    assert (row.rpo_kept, row.rpo_broken_s) == (1.0, 0.0)


def test_a_promise_without_any_backup_is_broken_since_it_is_known() -> None:
    """And nothing is said where nothing is promised."""
    groups = {"gold": [application("web", promised_s=60)], "none": [application("db")]}
    (gold, none), _ = report(groups, {}, DAY)
    assert (gold.rpo_kept, gold.rpo_broken_s, gold.promised) == (0.0, 24 * 3600, 1)
    assert (none.rpo_kept, none.applications, none.promised) == (None, 1, 0)


def test_restores_that_succeeded_are_measured() -> None:
    """Within the span; one that brings back a part, or nothing, measures nothing."""
    runs = [
        run("web", 1, 2, kind="restore"),
        run("web", 5, 1, kind="restore"),
        run("web", 7, 9, kind="restore", state="failed"),
        run("web", 8, 9, kind="restore", brings_all_back=False),
        run("web", 30, 9, kind="restore"),
    ]
    (row,), _ = report({"gold": [application("web")]}, {"a-web": runs}, DAY)
    assert (row.rto_measured, row.rto_last_s, row.rto_worst_s) == (2, 3600, 7200)


def test_promises_about_restores_are_held_against_those_that_were_measured() -> None:
    """Each restore against what its own application promises, and each application by its last."""
    fast = application("web", rto_s=5400, last_restore_s=3600)
    slow, untried = application("db", rto_s=60, last_restore_s=61), application("new", rto_s=60)
    runs = {
        "a-web": [run("web", 1, 2, kind="restore"), run("web", 5, 1, kind="restore")],
        "a-db": [run("db", 2, 1, kind="restore")],
        "a-any": [run("any", 2, 1, kind="restore")],
    }
    groups = {"gold": [fast, slow, untried, application("any")], "none": [application("any")]}
    (gold, none), _ = report(groups, runs, DAY)
    assert (gold.rto_promised, gold.rto_proved, gold.rto_measured) == (3, 1, 4)
    assert gold.rto_kept == pytest.approx(1 / 3)
    assert (none.rto_promised, none.rto_proved, none.rto_measured, none.rto_kept) == (0, 0, 1, None)


def test_each_day_has_its_longest_restore_and_the_part_that_was_in_time() -> None:
    """The day on which a restore ends counts; a day without one says nothing."""
    runs = [
        run("web", 1, 2, kind="restore"),
        run("web", 5, 1, kind="restore"),
        run("web", 23, 3, kind="restore"),
    ]
    three_days = Span(NOON, NOON + timedelta(days=2))
    web = application("web", rto_s=5400)
    _, days = report({"gold": [web]}, {"a-web": runs}, three_days)
    found = [(day.rto_kept, day.rto_worst_s) for day in days]
    assert found == [(0.5, 7200), (0.0, 3 * 3600), (None, None)]


def test_what_a_sheet_would_take_for_a_formula_is_text() -> None:
    """Criticalities are free text of whoever writes documents."""
    rows, _ = report({"=cmd()": [application("web")]}, {}, DAY)
    assert as_csv(rows).decode().splitlines()[1].startswith("'=cmd(),1,0,,0.0")


async def test_the_report_is_of_what_the_caller_may_see() -> None:
    """As JSON or CSV; a span that is none is refused."""
    bus = MemoryBus()
    record = application("web", promised_s=60)
    await bus.bucket(APPLICATIONS, ApplicationRecord).put(record.app_id, record)
    address = f"{PATH}/reports/objectives"
    async with client_of(rest_api(bus)) as client:
        told = (await client.get(f"{address}?by=application")).json()
        assert [row["name"] for row in told["items"]] == ["shop/web"]
        assert set(told) == {"from", "to", "by", "items", "days"}
        sheet = await client.get(f"{address}?format=csv")
        assert sheet.headers["Content-Type"].startswith("text/csv")
        assert sheet.text.startswith("name,applications,")
        for query in (
            "from=2026-03-04T00:00:00Z&to=2026-03-03T00:00:00Z",
            "from=0001-01-01T00:00Z",
        ):
            assert (await client.get(f"{address}?{query}")).status_code == 400
    async with client_of(rest_api(bus, {"ann": frozenset()}), "ann") as client:
        assert (await client.get(address)).json()["items"] == []
