"""Promises are compared with what backups took: the application's own, or the slowest of many."""

from typing import Any

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.doors.measured import MeasuredBackups
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


MEASURED = MeasuredBackups(
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
    assert MEASURED.takes_s(document("Application", name, {"type": "web"}, **meta)) == expected_s


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
    assert MEASURED.takes_s(policy) == expected_s


def test_other_documents_promise_nothing() -> None:
    profile = document("Profile", "p", {"type": "web"})
    assert MEASURED.takes_s(profile) == 0
