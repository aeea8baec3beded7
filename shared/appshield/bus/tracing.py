"""Trace context that travels in headers (W3C `traceparent`), so that one wish can be followed.

A trace begins at the edge: the first publish outside any handler. Within a handler the context of
its message is current, and every publish is a child of it.
"""

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

import msgspec

HEADER = "traceparent"

_FORM = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One span of one trace, as lower-case hexadecimal text."""

    trace_id: str
    span_id: str

    def header(self) -> str:
        """Write it as a `traceparent` (version 00, sampled)."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    def child(self) -> "Trace":
        """Return a new span of the same trace."""
        return Trace(trace_id=self.trace_id, span_id=_fresh(8))


_current: ContextVar[Trace | None] = ContextVar("appshield_trace", default=None)


def current() -> Trace | None:
    """Return the trace that the running code belongs to."""
    return _current.get()


def trace_id() -> str:
    """Name the trace that the running code belongs to; empty where it is none."""
    here = _current.get()
    return here.trace_id if here else ""


def outgoing() -> Trace:
    """Return the span of a message that is about to be published: a child, or a new trace."""
    here = _current.get()
    return here.child() if here else Trace(trace_id=_fresh(16), span_id=_fresh(8))


def incoming(headers: Mapping[str, str]) -> Trace:
    """Read the span of a message; a new trace when it carries none that can be read."""
    found = _FORM.fullmatch(headers.get(HEADER, ""))
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return Trace(trace_id=_fresh(16), span_id=_fresh(8))
    return Trace(trace_id=found[1], span_id=found[2])


@contextlib.contextmanager
def within(trace: Trace) -> Iterator[None]:
    """Make `trace` current for the time of the block."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def _fresh(size_bytes: int) -> str:
    return secrets.token_hex(size_bytes)
