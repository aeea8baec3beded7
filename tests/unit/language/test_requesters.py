"""Who wrote an object, as annotations say it; the real API server proves the rest."""

import pytest

from appshield.language.requesters import (
    REQUESTED_BY,
    REQUESTED_GROUPS,
    Requester,
    annotations_for,
    requester_of,
)


@pytest.mark.parametrize(
    "requester",
    [
        Requester("ann"),
        Requester("ann", ("system:authenticated",)),
        Requester("oidc:ann,bob", ("a,system:masters", "100%", "%2C", "sales team", "отдел")),
    ],
)
def test_a_requester_is_read_as_it_was_written(requester: Requester) -> None:
    """No group of one name becomes two of others."""
    assert requester_of(annotations_for(requester)) == requester


def test_nobody_is_read_where_nothing_stands() -> None:
    """Groups alone are nobody's."""
    assert requester_of({}) is None
    assert requester_of({REQUESTED_GROUPS: "system:masters"}) is None
    assert requester_of({REQUESTED_BY: ""}) is None
