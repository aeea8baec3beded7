"""The table says what holds and what does not, and never mixes two runs."""

from pathlib import Path

import pytest

from bench.measuring import Measured
from bench.memory import markdown as memory_markdown
from bench.memory import memory_rows
from bench.rows import SUITES, Row, Suite, selected, steps_to_run
from bench.samples import Samples, Summary, summarize, together
from bench.table import markdown, reaches_goal, verdict

FIRST = Row("s3", "small", "first")


def summary(wall_s: float, cpu_s: float = 1.0) -> Summary:
    return Summary(
        rounds=3, wall_s=(wall_s, wall_s), cpu_s=(cpu_s, cpu_s), pss_peak_bytes=100 << 20,
        stored_bytes=1000, server_cpu_s=None,
    )  # fmt: skip


def took(wall_s: float, *, cpu_s: float = 1.0, stored: int | None = None) -> Measured:
    return Measured(wall_s=wall_s, cpu_s=cpu_s, pss_peak_bytes=1, stored_bytes=stored)


@pytest.mark.parametrize(
    ("ours", "restic", "kopia", "failed"),
    [
        (summary(7.0, 0.9), summary(10.0), summary(7.0), []),
        (summary(7.1, 0.9), summary(10.0), summary(8.0), ["wall"]),
        (summary(7.0, 1.0), summary(10.0), summary(8.0), ["CPU"]),
        (summary(7.0, 0.9), summary(10.0), summary(6.0), ["kopia"]),
    ],
)
def test_each_bound_is_judged(
    ours: Summary, restic: Summary, kopia: Summary, failed: list[str]
) -> None:
    """A row holds when its wall time, its CPU time and its place beside kopia do."""
    programs = {"appshield": ours, "restic": restic, "kopia": kopia}
    assert verdict(FIRST, programs) == failed


def test_what_was_not_measured_does_not_hold() -> None:
    """A missing program is no pass."""
    assert verdict(FIRST, {"appshield": summary(1.0)}) == ["wall", "CPU", "kopia"]


def test_the_goal_is_half() -> None:
    """Half of restic's wall time, on every row."""
    others = {"restic": summary(10.0), "kopia": summary(10.0)}
    assert reaches_goal({"appshield": summary(5.0), **others})
    assert not reaches_goal({"appshield": summary(5.1), **others})


def test_the_table_shows_ratios_and_numbers() -> None:
    """One line of ratios for a row, one of numbers for each program."""
    programs = {"appshield": summary(4.0), "restic": summary(10.0, 2.0), "kopia": summary(8.0)}
    text = markdown([FIRST, Row("s3", "small", "restore")], {FIRST.name: programs})
    assert "| s3-small-first | 0.40 | ≤ 0.70 | yes | 0.50 | 0.50 (≤ 1.00) |" in text
    assert "| s3-small-first | appshield | 3 | 4.00 / 4.00 | 1.00 / 1.00 | 100 | 0.0 | – |" in text
    assert "restore" not in text


def test_a_run_in_parts_is_one_run_and_no_other(tmp_path: Path) -> None:
    """Rows are put together by run; the last measurement of a round counts."""
    file = tmp_path / "samples.jsonl"
    Samples(file, "other", 1.0).add(0, "row", "restic", took(99.0))
    Samples(file, "mine", 0.5).add(0, "row", "restic", took(98.0))
    mine = Samples(file, "mine", 1.0)
    for number, wall_s in ((0, 50.0), (0, 3.0), (1, 1.0), (2, 2.0)):
        mine.add(number, "row", "restic", took(wall_s, stored=7))
    found = summarize(Samples(file, "mine", 1.0).read())["row"]["restic"]
    assert (found.rounds, found.wall_s, found.stored_bytes) == (3, (1.0, 2.0), 7)


def test_a_row_is_of_one_run_and_says_which(tmp_path: Path) -> None:
    """Of the first run that has measured it whole, whatever the others have."""
    file = tmp_path / "samples.jsonl"
    runs = []
    for run, rounds, wall_s in (("new", 1, 4.0), ("old", 2, 9.0), ("older", 2, 5.0)):
        samples = Samples(file, run, 1.0, commit=f"commit of {run}")
        for number in range(rounds):
            samples.add(number, FIRST.name, "appshield", took(wall_s))
        runs.append(summarize(samples.read()))
    assert samples.read("new") != samples.read()
    found = together(runs, rounds=2, programs=1)
    assert found[FIRST.name]["appshield"].wall_s == (9.0, 9.0)
    told = found[FIRST.name]["appshield"].measured
    assert told.startswith("old, 20")
    assert told.endswith(", commit of old")
    assert f"| {told} |" in markdown([FIRST], found)
    assert not together(runs, rounds=2, programs=2), "kopia and restic were not measured"


def test_what_a_run_has_measured_is_not_measured_again(tmp_path: Path) -> None:
    """A round of a row counts when all programs are there: a go that was stopped goes on so."""
    samples = Samples(tmp_path / "samples.jsonl", "mine", 1.0)
    samples.add(0, "row", "restic", took(1.0))
    assert not samples.has(0, "row", ["restic", "kopia"])
    samples.add(0, "row", "kopia", took(1.0))
    assert samples.has(0, "row", ["restic", "kopia"])
    assert not samples.has(1, "row", ["restic", "kopia"])


def test_every_bound_belongs_to_a_row() -> None:
    """All that the issue asks for is measured."""
    bounded = [row.name for row in selected([]) if row.wall_required is not None]
    assert len(bounded) == 11


def test_words_select_rows() -> None:
    """In any order; `backup` means the first one."""
    assert [row.name for row in selected(["small-backup"])] == [
        "s3-small-first", "folder-small-first",
    ]  # fmt: skip
    assert [row.name for row in selected(["s3-single"])] == ["s3-single-first", "s3-single-restore"]
    assert selected(["nonsense"]) == []


def test_only_what_is_needed_is_run() -> None:
    """A restore needs the first backup and nothing else."""
    suite = Suite("s3", "small")
    assert steps_to_run(suite, selected(["s3-small-restore"])) == [
        "first", "restore", "restore-cold",
    ]  # fmt: skip
    assert [steps_to_run(other, selected(["s3-mixed"])) for other in SUITES].count([]) == 5


def test_one_folder_may_take_a_little_more_than_many() -> None:
    """Its bound depends on what the same files take when they are nested."""
    rows = memory_rows(large=False)
    nested = {"memory-nested-check": {"appshield": summary(1.0)}}
    lone = {"memory-lone-check": {"appshield": summary(1.0)}}
    (row,) = [row for row in rows if row.name == "memory-lone-check"]
    assert row.bound_bytes(nested) == (100 + 64) << 20
    assert row.bound_bytes({}) is None
    assert "| memory-lone-check | 100 | 164 | yes |" in memory_markdown(rows, nested | lone)
    assert "| memory-lone-check | 100 | – | – |" in memory_markdown(rows, lone)


def test_rows_about_memory_are_chosen_by_words_and_the_others_are_told_as_not_measured() -> None:
    """So that a run made in several goes shows what it lacks."""
    chosen = memory_rows(large=True, only=["million-copy", "huge"])
    assert chosen[0].name == "memory-million-copy"
    assert {row.amount for row in chosen[1:]} == {"huge"}
    assert "| memory-huge-backup | not measured | 384 |" in memory_markdown(chosen, {})
