"""What a person names becomes the request that says it, or an error that says why not."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts import requests
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.message import Request
from appshield.contracts.runs import FINAL_STATES, Run, RunState, Trigger
from appshield.doors import asking
from appshield.doors.asking import Asker, RestoreOptions
from appshield.doors.requesting import run_asked_for
from appshield.errors import InvalidInputError, RefusedError

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
ELSEWHERE = AppRef(cluster="lost", namespace="shop", name="shop")
HERE = replace(ELSEWHERE, cluster="here")
RECORD = ApplicationRecord(app_id="a-1", app=ELSEWHERE, uid="u-1", vault="main", state="orphaned")
ASKER = Asker(actor="anna", request_id="deploy-1", cluster="here")


def run(state: RunState) -> Run:
    """A restore in some state."""
    return Run(
        id="r-1",
        kind="restore",
        app=HERE,
        app_id="a-1",
        vault="main",
        trigger=Trigger(kind="manual", identity="request/x"),
        state=state,
        epoch=1,
        requested_at=NOW,
    )


def about_versions() -> list[Request]:
    """Ask for everything that can be asked about a history whose cluster is lost."""
    return [
        asking.restore(RECORD, ASKER, 3, RestoreOptions()),
        asking.forget(RECORD, ASKER, [3]),
        asking.pin(RECORD, ASKER, 3, pinned=True),
        asking.copy(RECORD, ASKER, 3, "offsite"),
        asking.check(RECORD, ASKER, "main", "all", NOW),
        asking.prune(RECORD, ASKER, "main"),
        asking.repair(RECORD, ASKER, "main"),
    ]


def test_what_is_asked_about_versions_is_done_where_it_is_asked() -> None:
    """Also when they come from a cluster that is lost."""
    assert {str(request.app.cluster) for request in about_versions()} == {"here"}


def test_every_request_names_who_asks_and_its_identity() -> None:
    """Asking again with it is asking once."""
    every = [
        *about_versions(),
        asking.backup(RECORD, ASKER),
        asking.gate(RECORD, ASKER, "rollout"),
        asking.pause(RECORD, ASKER, paused=True),
        asking.cancel(run("running"), ASKER),
        asking.approve(run("awaiting-approval"), ASKER),
        asking.rebuild_catalog("main", ASKER),
    ]
    assert {(one.actor, one.request_id) for one in every} == {("anna", "deploy-1")}
    assert {type(one) for one in every} == set(requests.AnyRequest.__args__)


def test_the_run_of_a_request_is_known_before_there_is_one() -> None:
    """A gate's version is a backup; what becomes no run has no id."""
    assert run_asked_for(asking.gate(RECORD, ASKER, "delete")) == run_id(
        "backup", "request/deploy-1"
    )
    with pytest.raises(TypeError):
        run_asked_for(asking.pause(RECORD, ASKER, paused=True))


def test_a_gate_names_the_first_rule_that_holds_the_operation() -> None:
    """Its versions stay as that rule says; where none holds it, by no rule."""
    rules = (
        Protection(name="nightly", trigger="schedule"),
        Protection(name="before-delete", trigger="gate", before=("delete",)),
        Protection(name="before-all", trigger="gate", before=("rollout", "delete")),
    )
    gated = replace(RECORD, protections=rules)
    assert asking.gate(gated, ASKER, "delete").rule == "before-delete"
    assert asking.gate(gated, ASKER, "rollout").rule == "before-all"
    assert asking.gate(RECORD, ASKER, "rollout").rule == ""


def test_options_of_a_restore_that_contradict_each_other_are_refused() -> None:
    """Before anything is asked."""
    with pytest.raises(InvalidInputError, match="extra files"):
        asking.restore(RECORD, ASKER, 1, RestoreOptions(delete_extra=True))
    with pytest.raises(InvalidInputError, match="names no application"):
        asking.restore(RECORD, ASKER, 1, RestoreOptions(target_namespace="No Such Place"))


def test_every_option_of_a_restore_is_in_its_request() -> None:
    """Under the same name."""
    options = RestoreOptions(
        target_namespace="copy",
        paths=("manifests",),
        existing=True,
        delete_extra=True,
        registry="registry.example.org",
        dry_run=True,
        running_backup="cancel",
        keep_going=True,
        vault="offsite",
        needs_approval=True,
        reason="a drill",
    )
    request = asking.restore(RECORD, ASKER, 3, options)
    for name in RestoreOptions.__struct_fields__:
        assert getattr(request, name) == getattr(options, name), name


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_run_that_has_ended_cannot_be_cancelled(state: RunState) -> None:
    """The error says how it ended."""
    with pytest.raises(RefusedError, match=state):
        asking.cancel(run(state), ASKER)


def test_only_a_run_that_waits_for_approval_is_approved() -> None:
    """The error says what it does instead."""
    assert asking.approve(run("awaiting-approval"), ASKER).run == "r-1"
    with pytest.raises(RefusedError, match="running"):
        asking.approve(run("running"), ASKER)


def test_a_sample_is_the_part_of_the_day() -> None:
    """Another one tomorrow; the structure reads no data, and all is one part."""

    def parts(contents: asking.Contents, at: datetime) -> tuple[int, int]:
        request = asking.check(RECORD, ASKER, "main", contents, at)
        return request.part, request.parts

    today, tomorrow = parts("sample", NOW), parts("sample", NOW + timedelta(days=1))
    assert today != tomorrow
    assert today[1] == tomorrow[1] > 1
    assert parts("structure", NOW) == (0, 0)
    assert parts("all", NOW) == (0, 1)
