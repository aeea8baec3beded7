"""When an operation passes the gate: every case that the decision tells apart."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.gates import Hold
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import VersionDamage
from appshield.contracts.runs import Failure, Run, Trigger
from appshield.gateway.passing import (
    OPEN_FOR,
    REST_AFTER_FAILURE,
    Begin,
    Beside,
    Change,
    Decision,
    Pass,
    Wait,
    decide,
    is_beside,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
APP = AppRef(cluster="test", namespace="shop", name="shop")
WEB = "Deployment/web"
CHANGE = Change(state="red", states={WEB: "red"})
HOLD = Hold(
    app=APP,
    app_id="a-1",
    operation="rollout",
    about="Deployment web",
    state="red",
    asked_at=NOW - timedelta(minutes=5),
    request_id="one",
    run="b-1",
)
RUN = Run(
    id="b-1",
    kind="backup",
    app=APP,
    app_id="a-1",
    vault="primary",
    trigger=Trigger(kind="gate", identity="request/one"),
    state="succeeded",
    epoch=1,
    requested_at=NOW - timedelta(minutes=5),
    finished_at=NOW - timedelta(minutes=1),
    version=7,
)
VERSION = VersionRecord(
    facts=VersionFacts(
        app=APP,
        app_id="a-1",
        uid="u",
        number=7,
        run="b-1",
        revision="r",
        consistency="application",
        cut_at=NOW - timedelta(minutes=2),
        trigger="gate",
        states={WEB: "red", "StatefulSet/db": "one"},
    ),
    snapshot_id="s",
    vault="primary",
    stored_at=NOW - timedelta(minutes=1),
)


def test_the_first_try_begins_a_hold() -> None:
    """Whatever versions there are: none of them was cut after a request that is made now."""
    assert decide(CHANGE, None, None, VERSION, NOW) == Begin()


@pytest.mark.parametrize("state", ["pending", "running", "ending"])
def test_a_try_waits_while_the_run_is_under_way(state: str) -> None:
    """Also while it tidies up, and before a planner has taken the request up."""
    under_way = replace(RUN, state=state, finished_at=None)
    assert decide(CHANGE, HOLD, under_way, None, NOW) == Wait()
    assert decide(CHANGE, HOLD, None, None, NOW) == Wait()


def test_a_retry_passes_by_the_version_of_the_holds_own_run() -> None:
    """It is good, and holds the object as it stands."""
    assert decide(CHANGE, HOLD, RUN, VERSION, NOW) == Pass(7)


@pytest.mark.parametrize("clock", [timedelta(hours=-3), timedelta(hours=3)])
def test_no_clocks_are_compared(clock: timedelta) -> None:
    """The cut of the run's version is later than the request, whatever anybody's clock says."""
    facts = replace(VERSION.facts, cut_at=VERSION.facts.cut_at + clock)
    assert decide(CHANGE, HOLD, RUN, replace(VERSION, facts=facts), NOW) == Pass(7)


def test_another_change_of_the_object_begins_anew() -> None:
    """The rollout went through, or somebody else changed it: it says something else now."""
    later = Change(state="blue", states={WEB: "blue"})
    assert decide(later, HOLD, RUN, VERSION, NOW) == Begin()
    under_way = replace(RUN, state="running", finished_at=None)
    assert decide(later, HOLD, under_way, None, NOW) == Begin()


def test_what_changed_while_it_was_saved_begins_anew() -> None:
    """The version does not hold what is there."""
    facts = replace(VERSION.facts, states={WEB: "green"})
    assert decide(CHANGE, HOLD, RUN, replace(VERSION, facts=facts), NOW) == Begin()


def test_of_a_namespace_everything_has_to_be_held() -> None:
    """What does not belong to the application does not count; what does and differs, does."""
    space = replace(HOLD, state="")
    same = Change(state="", states={WEB: "red", "StatefulSet/db": "one", "Deployment/other": "x"})
    assert decide(same, space, RUN, VERSION, NOW) == Pass(7)
    changed = Change(state="", states={WEB: "red", "StatefulSet/db": "two"})
    assert decide(changed, space, RUN, VERSION, NOW) == Begin()


@pytest.mark.parametrize(
    "version",
    [
        None,
        replace(
            VERSION, damage=VersionDamage(number=7, snapshot_id="s", paths=("x",), paths_total=1)
        ),
    ],
)
def test_a_version_that_is_gone_or_damaged_does_not_count(version: VersionRecord | None) -> None:
    """A good one is made."""
    assert decide(CHANGE, HOLD, RUN, version, NOW) == Begin()


def test_a_pass_ends() -> None:
    """After a while the data has moved on: the operation is a new request then."""
    assert RUN.finished_at
    assert decide(CHANGE, HOLD, RUN, VERSION, RUN.finished_at + OPEN_FOR) == Pass(7)
    late = RUN.finished_at + OPEN_FOR + timedelta(seconds=1)
    assert decide(CHANGE, HOLD, RUN, VERSION, late) == Begin()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_run_without_success_is_tried_again_after_a_rest(state: str) -> None:
    """The reason is told meanwhile, and a tool that tries all the time starts no storm."""
    failed = replace(RUN, state=state, failure=Failure(what="the store is full"), version=None)
    assert failed.finished_at
    soon = failed.finished_at + REST_AFTER_FAILURE / 2
    assert decide(CHANGE, HOLD, failed, None, soon) == Wait("the store is full")
    assert decide(CHANGE, HOLD, failed, None, failed.finished_at + REST_AFTER_FAILURE) == Begin()


def test_what_a_version_shows_to_be_of_nobody_passes() -> None:
    """The snapshot decided about membership: an object that it left out is not held."""
    other = Change(state="x", states={"Deployment/other": "x"})
    decided: Decision = decide(other, replace(HOLD, state="x"), RUN, VERSION, NOW)
    assert decided == Beside()


def test_only_what_stood_there_at_the_cut_is_known_to_be_of_nobody() -> None:
    """A younger object may belong to the application; a version without digests tells nothing."""
    other = Change(state="x", states={"Deployment/other": "x"})
    cut_at = VERSION.facts.cut_at
    assert is_beside(other, VERSION, cut_at - timedelta(days=1))
    assert not is_beside(other, VERSION, cut_at + timedelta(seconds=1))
    assert not is_beside(CHANGE, VERSION, cut_at - timedelta(days=1))
    assert not is_beside(other, None, cut_at - timedelta(days=1))
    bare = replace(VERSION, facts=replace(VERSION.facts, states={}))
    assert not is_beside(other, bare, cut_at - timedelta(days=1))
