"""What Backup and Restore objects ask for, and what their statuses say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appshield.contracts.applications import Keep
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Failure, Run, RunState, Step, Trigger
from appshield.doors.requesting import run_asked_by
from appshield.kubernetes import Object
from appshield.language.problems import DocumentError
from appshield.language.requesters import RUN_ANYWAY, UNKNOWN, Requester, annotations_for
from appshield.watcher import wishes

INSTALLED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
APP = AppRef(cluster="test", namespace="shop", name="shop")


def wish(kind: str, *, made_at: str = "2026-11-29T11:00:00Z", **spec: Any) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": "w",
            "namespace": "shop",
            "uid": "u-1",
            "generation": 1,
            "creationTimestamp": made_at,
        },
        "spec": {"application": "shop", **spec},
    }


def made(state: RunState = "running", **changes: Any) -> Run:
    given: dict[str, Any] = {
        "id": "b-1",
        "kind": "backup",
        "app": APP,
        "app_id": "a-1",
        "vault": "primary",
        "trigger": Trigger(kind="manual", identity="request/backup-u-1"),
        "state": state,
        "epoch": 1,
        "requested_at": NOW,
        "started_at": NOW,
    }
    return Run(**given | changes)


def condition(status: Object, kind: str) -> Object:
    found: Object = next(one for one in status["conditions"] if one["type"] == kind)
    return found


def test_a_backup_asks_for_what_it_says_under_its_uid() -> None:
    """The run's id is known before the run exists."""
    obj = wish("Backup", reason="why", keep={"last": 3}, targets=["offsite"])
    request = wishes.request_of(obj, "test")
    assert request == RequestBackup(
        app=APP,
        request_id="backup-u-1",
        actor=UNKNOWN,
        about="Backup shop/w",
        door="object",
        reason="why",
        keep=Keep(last=3),
        targets=("offsite",),
    )
    assert run_asked_by(obj) == run_id("backup", "request/backup-u-1")


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ({"version": "17"}, {"version": 17}),
        ({"version": "last-good"}, {"version": 0, "choice": "last-good"}),
        ({"version": "1", "to": "copy"}, {"version": 1, "target_namespace": "copy"}),
        ({"version": "1", "existing": "update"}, {"version": 1, "existing": True}),
        (
            {"version": "1", "existing": "mirror"},
            {"version": 1, "existing": True, "delete_extra": True},
        ),
        ({"version": "1", "approve": "manual"}, {"version": 1, "needs_approval": True}),
        ({"version": "1", "paths": ["manifests"]}, {"version": 1, "paths": ("manifests",)}),
        ({"version": "1", "history": "a-9"}, {"version": 1, "app_id": "a-9"}),
        ({"version": "1", "vault": "offsite"}, {"version": 1, "vault": "offsite"}),
    ],
)
def test_a_restore_asks_for_what_it_says(spec: dict[str, Any], asked: dict[str, Any]) -> None:
    """Every field of the document has its counterpart."""
    request = wishes.request_of(wish("Restore", **spec), "test")
    assert request == RequestRestore(
        app=APP,
        request_id="restore-u-1",
        actor=UNKNOWN,
        about="Restore shop/w",
        door="object",
        **asked,
    )


def test_who_wrote_an_object_asks_for_what_it_says() -> None:
    """As far as the API server has seen to it that this is known."""
    obj = wish("Backup")
    obj["metadata"]["annotations"] = annotations_for(Requester("ann", ("sales",)))
    assert wishes.request_of(obj, "test").actor == "ann"
    assert wishes.requester(obj) == Requester("ann", ("sales",))


def test_a_document_that_says_nonsense_is_an_error_in_words() -> None:
    """It is no request, and its status can say why."""
    with pytest.raises(DocumentError, match="version"):
        wishes.request_of(wish("Restore", version="newest"), "test")


def test_what_is_older_than_the_installation_is_left_alone_unless_annotated() -> None:
    """The status says since when, and what to do."""
    old = wish("Restore", made_at="2026-11-20T11:59:59Z", version="1")
    why = wishes.why_left_alone(old, INSTALLED_AT)
    assert "before AppShield was installed here at 2026-11-20T12:00:00Z" in why
    status = wishes.left_alone(old, why, NOW)
    assert status["phase"] == "LeftAlone"
    assert condition(status, "Admitted")["reason"] == "OlderThanInstallation"
    old["metadata"]["annotations"] = {RUN_ANYWAY: "true"}
    assert wishes.why_left_alone(old, INSTALLED_AT) == ""
    young = wish("Restore", made_at="2026-11-20T12:00:00Z", version="1")
    assert wishes.why_left_alone(young, INSTALLED_AT) == ""


@pytest.mark.parametrize(
    ("run", "phase", "succeeded"),
    [
        (made("pending", started_at=None), "Waiting", "Unknown"),
        (made("awaiting-approval", started_at=None), "Waiting", "Unknown"),
        (made("running"), "Running", "Unknown"),
        (made("ending"), "Running", "Unknown"),
        (made("succeeded"), "Succeeded", "True"),
        (made("failed"), "Failed", "False"),
        (made("cancelled"), "Cancelled", "False"),
    ],
)
def test_the_status_says_how_the_run_is(run: Run, phase: str, succeeded: str) -> None:
    """In the words of kubectl."""
    status = wishes.status_of(run, wish("Backup"), NOW)
    assert (status["phase"], status["run"]) == (phase, "b-1")
    assert condition(status, "Succeeded")["status"] == succeeded
    assert condition(status, "Admitted")["status"] == "True"


def test_a_run_that_was_refused_was_not_admitted_and_says_why() -> None:
    """What, why and what to do."""
    why = Failure(what="no such thing", why="none", next_step="Make one.")
    status = wishes.status_of(made("failed", started_at=None, failure=why), wish("Backup"), NOW)
    assert status["message"] == "no such thing: none. Make one."
    assert condition(status, "Admitted")["status"] == "False"


def test_progress_names_the_steps() -> None:
    """What is being done, and how much is behind it."""
    times: dict[str, Any] = {"attempt": 1, "epoch": 1, "started_at": NOW, "deadline_at": NOW}
    steps = (
        Step(name="open", state="done", **times),
        Step(name="take", state="done", **times),
        Step(name="store/volumes/data", state="running", **times),
    )
    status = wishes.status_of(made(steps=steps), wish("Backup"), NOW)
    assert status["progress"] == "store/volumes/data (2 steps done)"


def test_a_condition_keeps_its_time_while_it_stays_so() -> None:
    """Only a change is a transition."""
    obj = wish("Backup")
    obj["status"] = wishes.status_of(made("running"), obj, NOW)
    later = wishes.status_of(made("running"), obj, NOW + timedelta(hours=1))
    assert later["conditions"] == obj["status"]["conditions"]
    ended = wishes.status_of(made("succeeded"), obj, NOW + timedelta(hours=1))
    assert condition(ended, "Succeeded")["lastTransitionTime"] == "2026-11-29T13:00:00Z"
    assert condition(ended, "Admitted")["lastTransitionTime"] == "2026-11-29T12:00:00Z"
