"""Trace context: read, written, and never trusted to be well formed."""

import asyncio

import pytest

from appshield.bus import tracing

TRACE = tracing.Trace(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331")


def test_a_header_is_read_as_it_was_written() -> None:
    """The form is that of W3C Trace Context."""
    assert TRACE.header() == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert tracing.incoming({"traceparent": TRACE.header()}) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    ],
)
def test_a_header_that_cannot_be_read_begins_a_new_trace(header: str) -> None:
    """A message of a tool that knows no traces still gets one."""
    found = tracing.incoming({"traceparent": header} if header else {})
    assert len(found.trace_id) == 32
    assert found.trace_id not in header


def test_at_the_edge_every_publish_is_a_trace_of_its_own() -> None:
    """Outside of a handler nothing ties two messages together."""
    assert tracing.current() is None
    assert tracing.outgoing().trace_id != tracing.outgoing().trace_id


def test_within_a_trace_a_publish_is_a_child() -> None:
    """Same trace, another span."""
    with tracing.within(TRACE):
        child = tracing.outgoing()
    assert child.trace_id == TRACE.trace_id
    assert child.span_id != TRACE.span_id
    assert tracing.current() is None


async def test_tasks_keep_their_own_trace() -> None:
    """Two handlers at once do not see each other's."""
    seen: dict[str, str] = {}

    async def handle(name: str) -> None:
        with tracing.within(tracing.Trace(trace_id=name * 32, span_id="1" * 16)):
            await asyncio.sleep(0)  # let the other task have its turn
            seen[name] = tracing.outgoing().trace_id

    await asyncio.gather(handle("a"), handle("b"))
    assert seen == {"a": "a" * 32, "b": "b" * 32}
