"""Problems on their way into a message: few enough, short enough, none forgotten."""

from appshield.repository.files import FileProblem, told


def test_many_and_long_problems_are_told_within_bounds_with_their_number() -> None:
    """A message has a largest size; how much was cut off is said."""
    problems = [FileProblem(b"x" * 4_000, "changed", "it changed") for _ in range(60)]
    lines = told(problems, most=50)
    assert len(lines) == 51
    assert max(map(len, lines)) <= 200
    assert lines[-1] == "and 10 more"
    assert told(problems[:2]) == tuple(str(problem)[:200] for problem in problems[:2])
