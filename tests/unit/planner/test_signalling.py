"""Subjects of other tools, mapped to signals by an administrator."""

import pytest

from appshield.contracts import streams
from appshield.errors import InvalidInputError
from appshield.planner.signalling import MAPPED, mapped_streams


def test_without_a_mapping_signals_come_from_nowhere_else() -> None:
    """What was mapped before is not any more."""
    [signals] = mapped_streams(())
    assert (signals.name, signals.sources) == (streams.SIGNALS.name, ())


def test_subjects_of_nobody_get_a_stream_and_those_of_a_stream_come_from_there() -> None:
    """Wildcards stay behind the signal's name: the server demands it."""
    mapped, signals = mapped_streams(("a.*.b.*=one", "CI:ci.done.>=two"))
    assert (mapped.name, mapped.subjects) == (MAPPED, ("a.*.b.*",))
    assert signals.sources is not None
    moves = {source.stream: source.moves for source in signals.sources}
    ours = "appshield.v1.signal.one.{{wildcard(1)}}.{{wildcard(2)}}"
    assert moves == {
        MAPPED: (("a.*.b.*", ours),),
        "CI": (("ci.done.>", "appshield.v1.signal.two.>"),),
    }


@pytest.mark.parametrize("mapping", ["", "a", "a=", "=b", "a=b=c", "a b=c", "a=Not_A_Name", ":a=b"])
def test_what_is_no_mapping_is_refused_with_how_one_is_written(mapping: str) -> None:
    """The planner does not start with half a mapping."""
    with pytest.raises(InvalidInputError):
        mapped_streams((mapping,))
