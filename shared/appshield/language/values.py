"""The small grammars of the language: durations, rates, schedules, names, patterns of kinds.

Each grammar is one annotated type, so that reading, the custom resource definitions and the
reference page agree, and one function that gives the value. `means` is the phrase for messages,
`parse` the function that raises for a text without a meaning.
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from appshield.errors import InvalidInputError
from appshield.language import cron

SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION_MAX_S = 100 * 366 * 86_400

_DURATION_PART = re.compile(r"([0-9]+)([smhdw])")


class RateLimit(msgspec.Struct, frozen=True):
    """At most `count` times within any `window_s` seconds."""

    count: int
    window_s: int


def seconds(text: str) -> int:
    """Return the length of a duration in seconds.

    Raises:
        InvalidInputError: the text is not in the grammar, is zero, or is above a hundred years.
    """
    parts = _DURATION_PART.findall(text) if len(text) <= 60 else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidInputError(
            f"{text[:60]!r} is not a duration", next_step="Write for example 30s, 5m, 1h or 1d."
        )
    total = sum(int(number) * SECONDS_BY_UNIT[unit] for number, unit in parts)
    if not 0 < total <= DURATION_MAX_S:
        raise InvalidInputError(
            f"the duration {text!r} is not above zero and at most a hundred years",
            next_step="Write for example 30s, 5m, 1h or 1d.",
        )
    return total


def rate(text: str) -> RateLimit:
    """Return the limit that a rate such as `1/10m` states.

    Raises:
        InvalidInputError: the text is not in the grammar.
    """
    count, slash, window = text.partition("/")
    if not slash or not re.fullmatch(r"[1-9][0-9]{0,5}", count):
        raise InvalidInputError(
            f"{text[:60]!r} is not a rate", next_step="Write for example 1/10m or 3/1d."
        )
    return RateLimit(count=int(count), window_s=seconds(window))


def duration(total_s: int) -> str:
    """Return the shortest text of a duration: 5400 is `1h30m`."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, total_s = divmod(total_s, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{1,9}[smhdw])+$",
        max_length=60,
        extra={"means": "a duration such as 30s, 5m, 1h, 1h30m or 7d", "parse": seconds},
    ),
]
Rate = Annotated[
    str,
    Meta(
        pattern=r"^[1-9][0-9]{0,5}/([0-9]{1,9}[smhdw])+$",
        max_length=60,
        extra={"means": "a rate such as 1/10m (once in ten minutes)", "parse": rate},
    ),
]
Label = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=63,
        extra={"means": "a name of lower-case letters, digits and dashes, at most 63 characters"},
    ),
]
ObjectName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=253,
        extra={"means": "a Kubernetes name of lower-case letters, digits, dashes and dots"},
    ),
]
Text = Annotated[str, Meta(min_length=1, max_length=1024, extra={"means": "a text"})]
KindPattern = Annotated[
    str,
    Meta(
        pattern=r"^(\*|[a-z0-9]+)(\.(\*|[a-z0-9*]([-a-z0-9.]*[a-z0-9])?))?$",
        max_length=253,
        extra={
            "means": "kinds of objects such as deployments.apps, secrets, *.acme.io or *",
        },
    ),
]
Command = Annotated[
    tuple[Annotated[str, Meta(max_length=65_536)], ...],
    Meta(description="Program and arguments; no shell is added.", min_length=1, max_length=256),
]
Expression = Annotated[
    str, Meta(min_length=1, max_length=4096, extra={"means": "an expression in CEL"})
]
Cron = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=cron.EXPRESSION_MAX,
        extra={"means": 'a schedule such as "30 2 * * *" or @daily', "parse": cron.expanded},
    ),
]
TimeZone = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        extra={"means": "a time zone such as Europe/Berlin", "parse": cron.zone},
    ),
]
