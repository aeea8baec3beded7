"""Which steps a restore takes: all of a version, parts of it, onto what is there, and dry."""

from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.contracts.identities import AppRef
from appshield.contracts.message import StepEvent
from appshield.contracts.restores import (
    ApplyObjects,
    ImagesPushed,
    LoadVolume,
    PlanRestore,
    PrepareVolumes,
    RestorePlanned,
    VolumeLoaded,
    VolumesPrepared,
)
from appshield.contracts.runs import FINAL_STATES, RestoreProgress, Run, Trigger
from appshield.contracts.sources import (
    DumpTarget,
    ImagePlacement,
    VolumeChanges,
    VolumeTarget,
)
from appshield.planner import deciding, restoring

APP = AppRef(cluster="test", namespace="shop", name="shop")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
NEW = VolumeTarget(source="volumes/new", claim="new", namespace="shop", node="node")
THERE = VolumeTarget(source="volumes/old", claim="old", namespace="shop", node="node", present=True)
DUMP = DumpTarget(source="dumps/db", component="db", namespace="shop")
PLACED = ImagePlacement(image="r/shop:1@sha256:0", placed="mirror/shop:1@sha256:0")
CHANGES = VolumeChanges(source="volumes/old", overwritten=("etc/a",), overwritten_total=1)


def steps(
    *,
    dry_run: bool = False,
    objects: tuple[str, ...] = (),
    volumes: tuple[VolumeTarget, ...] = (),
    dumps: tuple[DumpTarget, ...] = (),
    images: tuple[str, ...] = (),
) -> list[str]:
    """Run a restore with workers that succeed; return the names of its steps."""
    return [step.name for step in ended(dry_run, objects, volumes, dumps, images).steps]


def ended(
    dry_run: bool,
    objects: tuple[str, ...],
    volumes: tuple[VolumeTarget, ...],
    dumps: tuple[DumpTarget, ...] = (),
    images: tuple[str, ...] = (),
) -> Run:
    progress = RestoreProgress(
        version=1,
        snapshot_id="s",
        target_namespace="shop",
        paths=("volumes/old/etc",),
        existing=True,
        delete_extra=True,
        dry_run=dry_run,
    )
    run = Run(
        id="r",
        kind="restore",
        app=APP,
        app_id="a",
        vault="v",
        trigger=Trigger(kind="manual", identity="one"),
        state="pending",
        epoch=1,
        requested_at=NOW,
        restore=progress,
    )
    run = deciding.start(run, epoch=1, now=NOW)
    while run.state not in FINAL_STATES:
        running = [step for step in run.steps if step.state == "running"]
        for step in running:
            told: dict[str, Any] = {"app": APP, "run": "r", "step": step.name, "attempt": 1}
            event: StepEvent
            match step.name.partition("/")[0]:
                case "plan":
                    event = RestorePlanned(
                        **told, objects=objects, volumes=volumes, dumps=dumps, images=images
                    )
                case "prepare":
                    order = restoring.order(run, step.name)
                    assert isinstance(order, PrepareVolumes)
                    event = VolumesPrepared(**told, volumes=order.volumes)
                case "load":
                    event = VolumeLoaded(**told, source="s", changes=CHANGES if dry_run else None)
                case "push":
                    event = ImagesPushed(**told, placements=(PLACED,))
                case _:
                    event = StepEvent(**told)
            run = deciding.advance(run, event, epoch=1, now=NOW)
    return run


def test_a_whole_version_takes_all_steps() -> None:
    """In this order."""
    assert steps(objects=("Secret shop/x",), volumes=(NEW,), dumps=(DUMP,)) == [
        "plan",
        "prepare",
        "load/new",
        "apply",
        "feed/dumps/db",
        "finish",
    ]


@pytest.mark.parametrize(
    ("objects", "volumes", "dumps", "taken"),
    [
        (("Secret shop/x",), (), (), ["plan", "apply", "finish"]),
        ((), (), (DUMP,), ["plan", "feed/dumps/db"]),
        ((), (THERE,), (), ["plan", "prepare", "load/old", "finish"]),
    ],
)
def test_a_part_takes_no_step_for_what_is_not_chosen(
    objects: tuple[str, ...],
    volumes: tuple[VolumeTarget, ...],
    dumps: tuple[DumpTarget, ...],
    taken: list[str],
) -> None:
    """Nothing is applied when no object is."""
    assert steps(objects=objects, volumes=volumes, dumps=dumps) == taken


def test_a_dry_run_looks_into_volumes_that_are_there_and_makes_nothing() -> None:
    """It says what would change; of a volume that would be made there is nothing to look at."""
    assert steps(dry_run=True, objects=("Secret shop/x",), volumes=(NEW,)) == ["plan"]
    run = ended(True, ("Secret shop/x",), (NEW, THERE))
    assert [step.name for step in run.steps] == ["plan", "prepare", "load/old", "finish"]
    assert run.restore is not None
    assert run.restore.changes == (CHANGES,)


def test_every_order_says_what_is_chosen_and_whether_anything_may_be_changed() -> None:
    """A worker decides by its order alone."""
    run = ended(True, (), (THERE,))
    plan, load = (restoring.order(run, name) for name in ("plan", "load/old"))
    assert isinstance(plan, PlanRestore)
    assert isinstance(load, LoadVolume)
    for order in (plan, load):
        assert order.paths == ("volumes/old/etc",)
        assert (order.existing, order.delete_extra, order.dry_run) == (True, True, True)


def test_images_are_brought_back_before_anything_names_them() -> None:
    """After the data; objects then get the names under which images can be pulled."""
    objects, images = ("Deployment shop/web",), ("r/shop:1@sha256:0",)
    assert steps(objects=objects, volumes=(NEW,), images=images) == [
        "plan",
        "prepare",
        "load/new",
        "push",
        "apply",
        "finish",
    ]
    assert steps(images=images) == ["plan", "push"]
    assert steps(dry_run=True, objects=objects, images=images) == ["plan"]
    run = ended(False, objects, (), (), images)
    order = restoring.order(run, "apply")
    assert isinstance(order, ApplyObjects)
    assert order.placements == (PLACED,)
