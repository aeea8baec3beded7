"""Promises are compared with what was measured: the application's own, or the slowest of many."""

from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.contracts.applications import ApplicationRecord, MeasuredRestore
from appshield.contracts.identities import AppRef
from appshield.doors.measured import Measured
from appshield.language.advising import Took
from appshield.language.object_reading import read_object


def record(name: str, takes_s: float, **more: Any) -> ApplicationRecord:
    app = AppRef(cluster="test", namespace="shop", name=name)
    return ApplicationRecord(
        app_id=name,
        app=app,
        uid=name,
        vault="primary",
        state="active",
        expected_backup_s=takes_s,
        **more,
    )


MEASURED = Measured(
    records=[
        record("web", 30, application_type="web"),
        record("db", 900, application_type="database/postgresql"),
        record("small", 60, application_type="database/redis"),
        record("new", 0, application_type="new"),
    ],
    namespace="shop",
)


def document(kind: str, name: str, spec: dict[str, Any], **meta: str) -> Any:
    body = {"apiVersion": "appshield.io/v1alpha1", "kind": kind, "spec": spec}
    return read_object({**body, "metadata": {"name": name, **meta}})


@pytest.mark.parametrize(
    ("name", "meta", "expected_s"),
    [
        ("db", {"namespace": "shop"}, 900),
        ("db", {}, 900),
        ("db", {"namespace": "other"}, 0),
        ("new", {}, 0),
        ("unknown", {}, 0),
    ],
)
def test_an_application_is_as_slow_as_its_own_backups(
    name: str, meta: dict[str, str], expected_s: float
) -> None:
    assert (
        MEASURED.took(document("Application", name, {"type": "web"}, **meta)).backup_s == expected_s
    )


@pytest.mark.parametrize(
    ("match", "expected_s"),
    [
        ("app.type.startsWith('database/')", 900),
        ("app.type == 'database/redis'", 60),
        ("app.labels['none'] == 'x'", 0),
        ("app.name == 'none'", 0),
    ],
)
def test_a_policy_is_as_slow_as_the_slowest_that_it_matches(match: str, expected_s: float) -> None:
    policy = document("Policy", "p", {"match": match, "alerts": {"rpo": "1h"}})
    assert MEASURED.took(policy).backup_s == expected_s


def test_restores_are_looked_at_in_the_same_way() -> None:
    """Of each application the last one; of one that was never restored nothing is known."""
    restored = [record(name, 0, last_restore=restore(took_s)) for name, took_s in RESTORES.items()]
    measured = Measured(records=[*restored, record("new", 5)], namespace="shop")
    assert measured.took(document("Application", "db", {"type": "web"})) == Took(0, 900)
    assert measured.took(document("Application", "new", {"type": "web"})) == Took(5, 0)
    everything = document("Policy", "p", {"match": "true", "alerts": {"rto": "1h"}})
    assert measured.took(everything) == Took(5, 900)


RESTORES = {"web": 30.0, "db": 900.0}


def restore(took_s: float) -> MeasuredRestore:
    ended_at = datetime(2026, 3, 4, tzinfo=UTC)
    return MeasuredRestore(run="r-1", version=1, took_s=took_s, ended_at=ended_at)


def test_other_documents_promise_nothing() -> None:
    profile = document("Profile", "p", {"type": "web"})
    assert MEASURED.took(profile) == Took()
