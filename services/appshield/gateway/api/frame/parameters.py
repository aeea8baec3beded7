"""What paths and lists can be asked for, as parameters of routes: one meaning everywhere."""

from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from litestar.params import PathParameter, QueryParameter

from appshield.gateway.api.frame.pages import LIMIT_DEFAULT, LIMIT_MAX

InNamespace: TypeAlias = Annotated[
    str, PathParameter(max_length=253, description="The application's namespace.")
]
Named: TypeAlias = Annotated[str, PathParameter(max_length=253, description="Its name.")]
Number: TypeAlias = Annotated[int, PathParameter(ge=1, description="The version's number.")]
RunId: TypeAlias = Annotated[str, PathParameter(max_length=128, description="The run's id.")]

Limit: TypeAlias = Annotated[
    int, QueryParameter(ge=1, le=LIMIT_MAX, description="How many items a page has at most.")
]
Cursor: TypeAlias = Annotated[
    str,
    QueryParameter(
        max_length=4096, description="`next` of the page before; empty: the first page."
    ),
]
Namespace: TypeAlias = Annotated[
    str, QueryParameter(max_length=253, description="Only in this namespace.")
]
History: TypeAlias = Annotated[
    str,
    QueryParameter(
        max_length=64,
        description="One of several histories of versions that the name had, by its id.",
    ),
]
LIMIT: Limit = LIMIT_DEFAULT
Containing: TypeAlias = Annotated[
    str, QueryParameter(name="q", max_length=253, description="Only with this in the name.")
]
FromTime: TypeAlias = Annotated[
    datetime | None, QueryParameter(description="Only from this time on.")
]


def sorting(*fields: str, only_upwards: bool = False) -> QueryParameter:
    """Say by which fields a list can be sorted; one that is too long to be put in order has one."""
    if only_upwards:
        return QueryParameter(name="sort", description="The order of the list.", enum=fields)
    text = f"One of {', '.join(fields)}; with - before it downwards."
    return QueryParameter(description=text, enum=[*fields, *(f"-{one}" for one in fields)])


def in_utc(moment: datetime | None) -> datetime | None:
    """Read a time that a caller gives: without a zone it is UTC, as all times of the API are."""
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
