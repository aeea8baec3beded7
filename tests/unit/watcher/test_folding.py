"""Many objects, one health: which ones count, and which statement goes first."""

from typing import Any

import pytest
from msgspec.structs import replace

from appshield.language.kinds import Application
from appshield.language.object_reading import read_object
from appshield.language.resolved import ResolvedApplication
from appshield.language.resolving import resolve
from appshield.manifests.objects import Reference
from appshield.watcher.assessing import Assessment
from appshield.watcher.folding import Known, Seen, fold

WEB = Reference("apps", "Deployment", "shop", "web")
WEB_SET = Reference("apps", "ReplicaSet", "shop", "web-1")
WEB_POD = Reference("", "Pod", "shop", "web-1-x")
DB = Reference("apps", "StatefulSet", "shop", "db")
CLAIM = Reference("", "PersistentVolumeClaim", "shop", "data-db-0")
SETTINGS = Reference("", "ConfigMap", "shop", "settings")
OLD_SETTINGS = Reference("", "ConfigMap", "shop", "settings-old")
WIDGET = Reference("acme.io", "Widget", "shop", "w")


def document(**spec: Any) -> ResolvedApplication:
    read = read_object(
        {
            "apiVersion": "appshield.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": "shop", "uid": "u-1"},
            "spec": spec,
        }
    )
    assert isinstance(read, Application)
    return resolve(read)


COMPONENT = {"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}
SHOP = document(components=[COMPONENT])
SELECTED = document(resources={"selector": {"matchLabels": {"app": "shop"}}})
WELL = Seen(uid="1", labels={"app": "shop"}, assessment=Assessment("Healthy", "it is"))
BAD = replace(WELL, assessment=Assessment("Degraded", "it failed"))
COMING = replace(WELL, assessment=Assessment("Progressing", "it comes"))
PLAIN = Seen(uid="2", labels={})
ALL = {WEB: replace(WELL, refers_to=(SETTINGS,)), DB: WELL, CLAIM: WELL, SETTINGS: PLAIN}
BEFORE = tuple(ALL)


def without(*gone: Reference) -> dict[Reference, Seen]:
    return {reference: seen for reference, seen in ALL.items() if reference not in gone}


def test_all_well_is_healthy_without_reasons() -> None:
    folded = fold(SHOP, BEFORE, Known(ALL))
    assert (folded.status, folded.reasons) == ("Healthy", ())


@pytest.mark.parametrize(
    ("objects", "status", "because"),
    [
        (ALL | {WEB: COMING}, "Progressing", ["Deployment web"]),
        (ALL | {WEB: COMING, DB: BAD}, "Degraded", ["StatefulSet db"]),
        (without(DB) | {WEB: BAD}, "Missing", ["StatefulSet db"]),
        (without(CLAIM, WEB), "Missing", ["PersistentVolumeClaim data-db-0", "Deployment web"]),
        (without(SETTINGS), "Missing", ["ConfigMap settings"]),
        (ALL | {WEB_SET: replace(PLAIN, controller=WEB),
                WEB_POD: replace(BAD, controller=WEB_SET)}, "Degraded", ["Pod web-1-x"]),
        ({}, "Missing", ["PersistentVolumeClaim data-db-0", "StatefulSet db", "Deployment web"]),
    ],
    ids=["on its way", "worst", "gone first", "named ones first", "still needed", "pods", "all"],
)  # fmt: skip
def test_the_worst_statement_counts_with_all_who_make_it(
    objects: dict[Reference, Seen], status: str, because: list[str]
) -> None:
    folded = fold(SHOP, BEFORE, Known(objects))
    assert (folded.status, [reason.object for reason in folded.reasons]) == (status, because)
    assert folded.reasons_total == len(because)


def test_what_the_document_names_is_missing_before_any_snapshot() -> None:
    folded = fold(SHOP, (), Known({WEB: WELL}))
    (reason,) = folded.reasons
    assert (folded.status, reason.object, reason.named) == ("Missing", "StatefulSet db", True)


def test_what_only_the_last_snapshot_knows_is_not_named() -> None:
    folded = fold(SHOP, BEFORE, Known(without(WEB)))
    (reason,) = folded.reasons
    assert (reason.object, reason.named) == ("Deployment web", False)


def test_a_name_that_nothing_refers_to_any_more_is_not_missed() -> None:
    """Tools give ConfigMaps another name with each content."""
    assert fold(SHOP, (*BEFORE, OLD_SETTINGS), Known(ALL)).status == "Healthy"


def test_what_the_document_excludes_is_not_missed() -> None:
    shop = document(components=[COMPONENT], resources={"exclude": ["deployments.apps"]})
    assert fold(shop, BEFORE, Known(without(WEB))).status == "Healthy"


@pytest.mark.parametrize(
    "seen",
    [
        replace(BAD, controller=Reference("batch", "Job", "shop", "once")),
        replace(BAD, controller=WEB_SET, going=True),
        replace(BAD, labels={"app": "shop", "appshield.io/exclude": "true"}),
    ],
    ids=["of a job", "going", "excluded"],
)
def test_pods_that_end_by_themselves_and_what_is_excluded_do_not_count(seen: Seen) -> None:
    objects = ALL | {WEB_SET: replace(PLAIN, controller=WEB), WEB_POD: seen}
    assert fold(SHOP, BEFORE, Known(objects)).status == "Healthy"


def test_other_applications_of_the_namespace_do_not_count() -> None:
    other = replace(BAD, labels={"app": "other"})
    assert fold(SELECTED, (), Known({WEB: WELL, DB: other})).status == "Healthy"


def test_a_kind_that_is_served_no_more_is_unknown_and_never_missing() -> None:
    folded = fold(SHOP, (*BEFORE, WIDGET), Known(ALL, frozenset({("acme.io", "Widget")})))
    assert (folded.status, folded.reasons[0].object) == ("Unknown", "Widget")


def test_an_application_without_objects_is_unknown() -> None:
    assert fold(SELECTED, (), Known({})).status == "Unknown"


def test_of_many_reasons_the_first_are_told_with_their_number() -> None:
    many = {Reference("", "Pod", "shop", f"p{n:02}"): BAD for n in range(30)}
    folded = fold(SELECTED, (), Known(many))
    assert (len(folded.reasons), folded.reasons_total) == (20, 30)
