"""A team's applications in every state, with their versions and runs, on a bus."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts.applications import (
    ApplicationRecord,
    Keep,
    MeasuredRestore,
    Pause,
    Protection,
    Rpo,
    TriggerKind,
)
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.health import Health, HealthReason, HealthStatus
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.runs import (
    BackupProgress,
    Failure,
    RestoreProgress,
    Run,
    Step,
    Trigger,
    Wait,
)
from appshield.contracts.sources import Consistency, StoredSource
from appshield.contracts.streams import APPLICATIONS, CATALOG, RUNS
from rest_api import CLUSTER

MB = 1_000_000
RESTORED = run_id("restore", "restored")
RUNNING = run_id("backup", "running")
FAILED = run_id("backup", "failed")
AWAITING_APPROVAL = run_id("restore", "awaiting_approval")
WAITING = run_id("backup", "waiting")


async def seed_bus(bus: Bus, now: datetime) -> None:
    """Put applications in every state on the bus, with versions and runs."""
    for record in _applications(now):
        await bus.bucket(APPLICATIONS, ApplicationRecord).put(record.app_id, record)
        for version in _versions(record, now):
            key = f"{record.app_id}.{version.facts.number}"
            await bus.bucket(CATALOG, VersionRecord).put(key, version)
    for run in _runs(now):
        await bus.bucket(RUNS, Run).put(run.id, run)


def _applications(now: datetime) -> list[ApplicationRecord]:
    def one(
        number: int, place: str, kind: str, criticality: str, health: HealthStatus
    ) -> ApplicationRecord:
        namespace, _, name = place.partition("/")
        return ApplicationRecord(
            app_id=f"a-{number:020x}",
            app=AppRef(cluster=CLUSTER, namespace=namespace, name=name),
            uid=f"uid-{number}",
            vault="primary",
            state="active",
            application_type=kind,
            criticality=criticality,
            targets=("primary", "offsite"),
            health=Health(status=health, since=now - timedelta(hours=7)),
            highest_version=14,
            last_version=14,
            last_backup_at=now - timedelta(minutes=37),
        )

    kept = Rpo(
        promised_s=86_400,
        state="kept",
        since=now - timedelta(days=3),
        counted_from=now - timedelta(minutes=37),
        version=14,
    )
    shop = replace(
        one(1, "shop/shop", "database/postgresql", "gold", "Healthy"),
        rpo=kept,
        policies=("gold", "watch"),
        protections=(
            Protection(
                name="gold/nightly",
                trigger="schedule",
                schedule="30 2 * * *",
                timezone="Europe/Berlin",
                keep=Keep(last=7, daily=30, monthly=12),
            ),
            Protection(name="gold/daily", trigger="rpo", rpo_s=86_400),
            Protection(
                name="before-rollout",
                trigger="change",
                change_of=("deployments",),
                when="new.spec.template != old.spec.template",
                settle_s=20,
            ),
        ),
        last_restore=MeasuredRestore(
            run=RESTORED, version=12, took_s=94.2, ended_at=now - timedelta(days=2)
        ),
        active_run=RUNNING,
    )
    ledger = replace(
        one(2, "bank/ledger", "database/mariadb", "platinum", "Degraded"),
        health=Health(
            status="Degraded",
            since=now - timedelta(minutes=12),
            reasons=(
                HealthReason(object="StatefulSet/ledger", why="1 of 3 replicas are ready"),
                HealthReason(object="Pod/ledger-1", why="CrashLoopBackOff: back-off 5m0s"),
                HealthReason(object="Pod/ledger-2", why="CrashLoopBackOff: back-off 5m0s"),
            ),
            reasons_total=5,
        ),
        rpo=replace(kept, promised_s=3_600, state="at-risk"),
        policies=("platinum",),
    )
    cart = replace(
        one(3, "shop/cart", "cache/redis", "silver", "Missing"),
        health=Health(
            status="Missing",
            since=now - timedelta(minutes=3),
            reasons=(HealthReason(object="Deployment/cart", why="it is gone", named=True),),
            reasons_total=1,
        ),
    )
    mail = replace(
        one(4, "office/mail", "web", "bronze", "Healthy"),
        rpo=replace(
            kept, promised_s=43_200, state="broken", counted_from=now - timedelta(hours=31)
        ),
        last_backup_at=now - timedelta(hours=31),
    )
    wiki = replace(
        one(5, "office/wiki", "web", "silver", "Progressing"),
        rpo=kept,
        paused=Pause(at=now - timedelta(hours=2), actor="ann", reason="the move to rack 7"),
    )
    fresh = replace(
        one(6, "lab/notebook", "stateless", "", "Unknown"),
        last_version=0,
        highest_version=None,
        last_backup_at=None,
        health=None,
    )
    old = replace(one(7, "lab/experiment", "web", "", "Unknown"), state="orphaned", health=None)
    more = [
        replace(
            one(10 + at, f"team-{at % 4}/service-{at:02}", "web", "bronze", "Healthy"), rpo=kept
        )
        for at in range(52)
    ]
    return [shop, ledger, cart, mail, wiki, fresh, old, *more]


def _versions(record: ApplicationRecord, now: datetime) -> list[VersionRecord]:
    triggers: tuple[TriggerKind, ...] = ("schedule", "change", "manual", "gate", "signal")
    consistencies: tuple[Consistency, ...] = ("application", "crash-group", "live")
    newest = record.last_backup_at or now
    found = []
    for number in range(1, record.last_version + 1):
        at = newest - timedelta(hours=11 * (record.last_version - number))
        size = (180 + 23 * number + (number % 4) * 9) * MB
        trigger = triggers[number % len(triggers) if number % 3 == 0 else 0]
        facts = VersionFacts(
            app=record.app,
            app_id=record.app_id,
            uid=record.uid,
            number=number,
            run=run_id("backup", f"{record.app_id} {number}"),
            revision="r",
            consistency=consistencies[number % 7 // 3],
            cut_at=at,
            trigger=trigger,
            trigger_name="gold/nightly" if trigger == "schedule" else "",
            actor="ann" if trigger == "manual" else "",
            quiesced_ms=number * 37,
            warnings=("volume cache is excluded",) if number == 9 else (),
            sources=(
                StoredSource(
                    name="volumes/data-db-0",
                    kind="volume",
                    tree="t",
                    bytes_read=size,
                    bytes_stored=size if number == 1 else (6 + number % 5 * 11) * MB,
                    files=1_240 + number,
                ),
            ),
        )
        found.append(
            VersionRecord(
                facts=facts,
                snapshot_id=f"s{number}",
                vault="primary",
                stored_at=at + timedelta(seconds=40),
                pinned=number in {7, 12},
                verified_at=at + timedelta(hours=2) if number % 5 == 0 else None,
            )
        )
    return found


def _runs(now: datetime) -> list[Run]:
    def one(run: str, place: str, app: int, begun: timedelta, took_s: float | None = None) -> Run:
        namespace, _, name = place.partition("/")
        started = now - begun
        return Run(
            id=run,
            kind="restore" if run.startswith("r") else "backup",
            app=AppRef(cluster=CLUSTER, namespace=namespace, name=name),
            app_id=f"a-{app:020x}",
            vault="primary",
            trigger=Trigger(kind="manual", identity=f"request/{run}", actor="ann@laptop"),
            state="succeeded" if took_s is not None else "running",
            epoch=1,
            requested_at=started - timedelta(seconds=1),
            started_at=started,
            finished_at=started + timedelta(seconds=took_s) if took_s is not None else None,
        )

    def step(run: Run, name: str, after_s: float, took_s: float | None) -> Step:
        assert run.started_at is not None
        started = run.started_at + timedelta(seconds=after_s)
        return Step(
            name=name,
            state="done" if took_s is not None else "running",
            attempt=1,
            epoch=1,
            started_at=started,
            deadline_at=started + timedelta(hours=1),
            node="node-1" if "store" in name or "load" in name else "",
            worker=f"{'uploader' if 'store' in name else 'snapshotter'}-7f3a",
            finished_at=started + timedelta(seconds=took_s) if took_s is not None else None,
        )

    restored = one(RESTORED, "shop/shop", 1, timedelta(days=2), 94.2)
    restored = replace(
        restored,
        version=12,
        restore=RestoreProgress(
            version=12,
            snapshot_id="s12",
            target_namespace="shop",
            bytes_written=431 * MB,
        ),
        steps=(
            step(restored, "plan", 0, 1.4),
            step(restored, "prepare", 1.5, 8.0),
            step(restored, "load/volumes/data-db-0", 9.7, 61.0),
            step(restored, "apply", 71, 22.0),
            step(restored, "finish", 93.4, 0.8),
        ),
    )
    running = one(RUNNING, "shop/shop", 1, timedelta(seconds=48))
    running = replace(
        running,
        version=15,
        trigger=Trigger(kind="schedule", identity="s", name="gold/nightly"),
        steps=(
            step(running, "open", 0, 0.4),
            step(running, "take", 0.5, 6.1),
            step(running, "store/manifests", 6.8, 0.9),
            step(running, "store/volumes/data-db-0", 6.8, None),
        ),
        backup=BackupProgress(
            stored=(StoredSource(name="manifests", kind="manifests", tree="t", bytes_read=48_000),)
        ),
    )
    failed = one(FAILED, "office/mail", 4, timedelta(hours=3), 31.0)
    failed = replace(
        failed,
        state="failed",
        trigger=Trigger(kind="rpo", identity="f", name="twice-a-day"),
        failure=Failure(
            what="volume spool cannot be stored",
            why="the store answers 507: the bucket has no space left",
            next_step="Make room in the bucket, or `appshield vault prune primary`.",
        ),
        steps=(
            step(failed, "open", 0, 0.5),
            step(failed, "take", 0.6, 4.0),
            replace(
                step(failed, "store/volumes/spool", 5, 26.0),
                state="failed",
                attempt=3,
                failure=Failure(what="the store answers 507", why="no space left"),
            ),
        ),
    )
    waiting = replace(
        one(AWAITING_APPROVAL, "bank/ledger", 2, timedelta(minutes=9)),
        state="awaiting-approval",
        needs_approval=True,
        started_at=None,
        trigger=Trigger(kind="reaction", identity="w", name="platinum"),
        restore=RestoreProgress(version=13, snapshot_id="s13", target_namespace="bank"),
    )
    held = replace(
        one(WAITING, "office/wiki", 5, timedelta(minutes=4)),
        state="pending",
        started_at=None,
        wait=Wait(
            reason="blackout",
            why="no backup starts between 08:00 and 18:00",
            since=now - timedelta(minutes=4),
            until=now + timedelta(hours=5),
        ),
    )
    past = [
        replace(
            one(
                run_id("backup", f"past {at}"),
                f"team-{at % 4}/service-{at:02}",
                10 + at,
                timedelta(hours=at + 1),
                20 + at,
            ),
            version=14,
            trigger=Trigger(kind="schedule", identity=f"p{at}", name="bronze/nightly"),
        )
        for at in range(30)
    ]
    begun = {
        ("shop/shop", 1, "gold/nightly"): _every(timedelta(hours=20), 36, missing={9, 10}),
        ("bank/ledger", 2, "platinum/hourly"): _every(timedelta(minutes=50), 40, missing={12}),
        ("office/wiki", 5, "silver/nightly"): _every(timedelta(hours=20), 36, missing=set()),
    }
    kept = [
        replace(
            one(run_id("backup", f"{place} {ago}"), place, app, timedelta(minutes=38) + ago, 40),
            trigger=Trigger(kind="schedule", identity=f"{place} {ago}", name=rule),
        )
        for (place, app, rule), moments in begun.items()
        for ago in moments
    ]
    return [restored, running, failed, waiting, held, *past, *kept]


def _every(apart: timedelta, count: int, *, missing: set[int]) -> list[timedelta]:
    """Say how long ago backups began that a promise needs; some of them did not happen."""
    return [apart * at for at in range(count) if at not in missing]
