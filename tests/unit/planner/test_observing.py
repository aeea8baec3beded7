"""What is known of an application, from what the watcher tells of its document."""

from appshield.contracts.applications import ApplicationObserved, ApplicationRecord, Protection
from appshield.planner.observing import remembered
from planner_world import APP


def told(revision: str, *, refused: str = "") -> ApplicationObserved:
    return ApplicationObserved(
        app=APP,
        uid="u",
        resource_version="7",
        exists=True,
        revision=revision,
        protections=(Protection(name=revision, trigger="manual"),),
        refused=refused,
    )


def kept(record: ApplicationRecord) -> tuple[str, list[str], str]:
    assert record.own is not None
    return record.revision, [rule.name for rule in record.own.protections], record.refused


def test_a_refused_document_leaves_what_is_known_in_force() -> None:
    """Whatever else the fact says: the status, from which it is taken, may be older."""
    known = remembered(None, told("second"), "a-1")
    assert kept(remembered(known, told("first", refused="wrong"), "a-1")) == (
        "second",
        ["second"],
        "wrong",
    )


def test_where_nothing_is_known_any_more_what_was_accepted_last_is_in_force() -> None:
    """The message bus was purged while the newest document is refused."""
    learned = remembered(None, told("first", refused="wrong"), "a-1")
    assert kept(learned) == ("first", ["first"], "wrong")
