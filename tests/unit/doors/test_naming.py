"""`[NAMESPACE/]NAME` means one history, or an error that says what to write instead."""

from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.doors.naming import Wanted, active, histories, wanted, with_versions
from appshield.errors import InvalidInputError, NotFoundError, RefusedError


def record(place: str, app_id: str = "", **fields: Any) -> ApplicationRecord:
    namespace, name = place.split("/")
    given = {"state": "active", "uid": "u", "vault": "primary", "last_version": 1, **fields}
    app = AppRef(cluster=str(given.pop("cluster", "here")), namespace=namespace, name=name)
    return ApplicationRecord(app_id=app_id or f"a-{namespace}-{name}", app=app, **given)


WEB, DB = record("shop/web"), record("shop/db")
TWIN_1, TWIN_2 = record("one/twin"), record("two/twin")
ALL = [WEB, DB, TWIN_1, TWIN_2]


@pytest.mark.parametrize(
    ("text", "namespace", "means"),
    [
        ("web", "", Wanted("web")),
        ("shop/web", "", Wanted("web", "shop")),
        ("web", "shop", Wanted("web", "shop")),
        ("shop/web", "shop", Wanted("web", "shop")),
        ("a.b-c", "", Wanted("a.b-c")),
    ],
)
def test_a_name_may_carry_its_namespace(text: str, namespace: str, means: Wanted) -> None:
    """Both ways of writing a namespace mean the same."""
    assert wanted(text, namespace) == means


@pytest.mark.parametrize(
    ("text", "namespace"),
    [("", ""), ("/", ""), ("a/b/c", ""), ("Web", ""), ("shop/", ""), ("/web", ""), ("w*", ""),
     ("shop/web", "other"), ("web", "No")],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str, namespace: str) -> None:
    """Neither wildcards nor half a place, nor two places at once."""
    with pytest.raises(InvalidInputError):
        wanted(text, namespace)


def test_a_name_in_one_namespace_needs_none() -> None:
    """It is found alone."""
    assert histories(ALL, wanted("web")) == [WEB]


def test_a_name_in_several_namespaces_is_ambiguous() -> None:
    """The error lists the candidates and how to choose."""
    with pytest.raises(InvalidInputError) as caught:
        histories(ALL, wanted("twin"))
    assert str(caught.value) == (
        "the name twin is ambiguous: there are one/twin, two/twin. "
        "Write NAMESPACE/NAME, or add -n NAMESPACE."
    )
    assert histories(ALL, wanted("twin", "two")) == [TWIN_2]


@pytest.mark.parametrize(
    ("text", "hint"),
    [("wep", "Did you mean shop/web?"), ("other/web", "Did you mean shop/web?"), ("zzz", "")],
)
def test_an_unknown_name_suggests_close_ones(text: str, hint: str) -> None:
    """Misspelt, or in another namespace; nothing is suggested that is not alike."""
    with pytest.raises(NotFoundError) as caught:
        histories(ALL, wanted(text))
    assert caught.value.next_step.startswith(hint)
    assert ("Did you mean" in caught.value.next_step) == bool(hint)


def test_only_what_runs_here_can_be_backed_up() -> None:
    """An orphan cannot, nor an application of another cluster; the error points to restore."""
    elsewhere = record("shop/far", cluster="there")
    gone = record("shop/gone", state="orphaned")
    assert active(ALL, wanted("web"), "here") == WEB
    for name in ("far", "gone"):
        with pytest.raises(RefusedError, match=f"`appshield versions shop/{name}`"):
            active([elsewhere, gone], wanted(name), "here")


def test_histories_of_one_name_must_be_chosen_from() -> None:
    """With the beginning of an id; the error lists ids, states and what they hold."""
    at = datetime(2026, 11, 24, 9, tzinfo=UTC)
    old = record("shop/web", "a-1111", state="orphaned", last_version=7, last_backup_at=at)
    new = record("shop/web", "a-2222")
    with pytest.raises(InvalidInputError) as caught:
        with_versions([old, new], wanted("web"))
    assert caught.value.why == (
        "a-2222 (active, up to version 1); "
        "a-1111 (orphaned, up to version 7, last backup 2026-11-24 09:00 UTC)"
    )
    assert with_versions([old, new], wanted("web"), "a-1") == old
    for history in ("a-", "a-3"):
        with pytest.raises(NotFoundError, match=history):
            with_versions([old, new], wanted("web"), history)


def test_a_history_without_versions_is_no_candidate_beside_others() -> None:
    """After a re-creation of the object, the old versions are what can be restored."""
    old = record("shop/web", "a-1", state="orphaned")
    new = record("shop/web", "a-2", last_version=0)
    assert with_versions([old, new], wanted("web")) == old
    assert with_versions([new], wanted("web")) == new
