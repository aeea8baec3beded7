"""Pages: whatever happens to a list between two of them, nothing that stays is lost or repeated."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import InvalidInputError
from appshield.gateway.api.frame.pages import Wanted, page_of

Item = tuple[str, int | None]
KEYS = {"size": lambda item: item[1], "name": lambda item: item[0]}
ITEMS = st.lists(
    st.tuples(st.text(max_size=3), st.none() | st.integers(0, 3)), unique_by=lambda item: item[0]
)


def name(item: Item) -> str:
    """Name an item."""
    return item[0]


def paged(before: list[Item], after: list[Item], sort: str, limit: int) -> list[Item]:
    """Read all pages of a list that changes once, behind the first page."""
    page = page_of(before, Wanted(sort=sort, limit=limit), keys=KEYS, name=name)
    found = list(page.items)
    while page.next is not None:
        wanted = Wanted(sort=sort, limit=limit, cursor=page.next)
        page = page_of(after, wanted, keys=KEYS, name=name)
        found += page.items
    return found


@given(
    items=ITEMS, sort=st.sampled_from(["name", "-name", "size", "-size"]), limit=st.integers(1, 4)
)
def test_pages_joined_are_the_list_in_its_order(items: list[Item], sort: str, limit: int) -> None:
    """Also of items that are alike in what they are sorted by."""
    whole = page_of(items, Wanted(sort=sort, limit=500), keys=KEYS, name=name)
    assert paged(items, items, sort, limit) == whole.items
    assert sorted(whole.items, key=name) == sorted(items, key=name)


@given(
    items=ITEMS,
    changed=ITEMS,
    sort=st.sampled_from(["name", "-name", "size", "-size"]),
    limit=st.integers(1, 4),
)
def test_what_stays_is_given_exactly_once(
    items: list[Item], changed: list[Item], sort: str, limit: int
) -> None:
    """Whatever was added or removed between the first page and the second."""
    after = [item for item in items if item[1] != 1]
    after += [item for item in changed if item[0] not in {one[0] for one in items}]
    found = paged(items, after, sort, limit)
    stayed = [item for item in items if item in after]
    assert [found.count(item) for item in stayed] == [1] * len(stayed)


def test_times_and_what_is_missing_have_an_order() -> None:
    """What has no time comes before what has one."""
    moments = {
        "b": datetime(2026, 1, 1, tzinfo=UTC),
        "a": None,
        "c": datetime(2025, 1, 1, tzinfo=UTC),
    }
    page = page_of(moments, Wanted(sort="at"), keys={"at": lambda one: moments[one]}, name=str)
    assert page.items == ["a", "c", "b"]


MADE_UP = base64.urlsafe_b64encode(b'["name",[1,4.5],"a"]').decode()
"""A number where the list has texts."""


@pytest.mark.parametrize("cursor", ["x", "%%%", "bm90aGluZw", "W10", MADE_UP])
def test_a_cursor_of_another_place_is_refused(cursor: str) -> None:
    """With what to do."""
    wanted = Wanted(sort="name", cursor=cursor)
    with pytest.raises(InvalidInputError, match=r"Begin again without a cursor"):
        page_of([("a", 1)], wanted, keys=KEYS, name=name)


def test_a_cursor_of_another_order_is_refused() -> None:
    """It would skip what it must not."""
    items = [("a", 1), ("b", 2)]
    cursor = page_of(items, Wanted(sort="name", limit=1), keys=KEYS, name=name).next
    assert cursor is not None
    with pytest.raises(InvalidInputError, match="belongs to the order name"):
        page_of(items, Wanted(sort="size", cursor=cursor), keys=KEYS, name=name)


def test_an_unknown_order_is_refused_with_those_that_there_are() -> None:
    """A reader sees what could be chosen."""
    with pytest.raises(InvalidInputError, match="by size, name"):
        page_of([("a", 1)], Wanted(sort="age"), keys=KEYS, name=name)
