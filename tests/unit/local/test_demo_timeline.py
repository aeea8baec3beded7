"""The timeline of the demo: measured steps, said plainly in a pipe."""

import io

import pytest
from rich.console import Console

from appshield.local.demo.timeline import Timeline, bytes_text


def test_a_step_that_fails_is_measured_too() -> None:
    """The reader of a failed run wants to know how far it came."""
    timeline = Timeline(Console(file=io.StringIO()))
    with pytest.raises(ValueError, match="broken"), timeline.measure("a step"):
        raise ValueError("broken")
    (event,) = timeline.events
    assert event.name == "a step"
    assert event.duration_s >= 0


def test_a_pipe_gets_plain_lines_with_steps_and_figures() -> None:
    """No control characters, no markup, one line each."""
    output = io.StringIO()
    timeline = Timeline(Console(file=output))
    with timeline.measure("back up [bold]under load[/bold]"):
        pass
    timeline.figure("recovery time (RTO)", "4.2 s")
    timeline.print()
    lines = output.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[1].endswith("back up [bold]under load[/bold]")
    assert lines[2] == "recovery time (RTO): 4.2 s"
    assert "\x1b" not in output.getvalue()


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2e9, "2.0 GB")]
)
def test_sizes_are_for_people(size_bytes: int, text: str) -> None:
    """Powers of ten, one digit after the point."""
    assert bytes_text(size_bytes) == text
