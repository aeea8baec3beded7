"""The result as Markdown: ratios beside what is required, then the absolute numbers. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from bench.rows import CPU_REQUIRED, GOAL, Row
from bench.samples import Summary

Summaries = Mapping[str, Mapping[str, Summary]]
OURS, RESTIC, KOPIA = "appshield", "restic", "kopia"

MIB = 1024 * 1024


def markdown(rows: Sequence[Row], summaries: Summaries) -> str:
    """Write both tables for the rows that were measured; nothing where there are none."""
    measured = [row for row in rows if row.name in summaries]
    if not measured:
        return ""
    return "\n".join([*_ratios(measured, summaries), "", *_absolute(measured, summaries)]) + "\n"


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Return how many times as much we took; None where one of both is not known."""
    return ours / theirs if ours is not None and theirs else None


def verdict(row: Row, programs: Mapping[str, Summary]) -> list[str]:
    """Return what does not hold: of the wall time, of the CPU time, against kopia.

    An empty list means that everything which is required holds, and could be judged.
    """
    wall = _wall(programs, RESTIC)
    bounds = (
        ("wall", wall, row.wall_required),
        ("CPU", _cpu(programs, RESTIC), CPU_REQUIRED),
        ("kopia", _wall(programs, KOPIA), row.kopia_required),
    )
    return [
        name
        for name, found, most in bounds
        if most is not None and (found is None or round(found, 2) > most)
    ]


def reaches_goal(programs: Mapping[str, Summary]) -> bool:
    """Tell whether a row took at most half of restic's wall time."""
    found = _wall(programs, RESTIC)
    return found is not None and round(found, 2) <= GOAL


def _ratios(rows: Sequence[Row], summaries: Summaries) -> Iterator[str]:
    yield (
        "| row | wall ÷ restic | required | goal ≤ 0.50 | CPU ÷ restic (≤ 0.90) | wall ÷ kopia "
        "| CPU ÷ kopia | PSS ÷ restic | PSS ÷ kopia | stored ÷ restic | stored ÷ kopia | holds "
        "| measured |"
    )
    yield "| --- |" + " ---: |" * 10 + " --- | --- |"
    for row in rows:
        programs = summaries[row.name]
        failed = verdict(row, programs)
        most = f"≤ {row.wall_required:.2f}" if row.wall_required else "–"
        cells = [
            row.name,
            _number(_wall(programs, RESTIC)),
            most,
            "yes" if reaches_goal(programs) else "no",
            _number(_cpu(programs, RESTIC)),
            _number(_wall(programs, KOPIA)) + (" (≤ 1.00)" if row.kopia_required else ""),
            _number(_cpu(programs, KOPIA)),
            *(_number(_of(programs, "pss_peak_bytes", other)) for other in (RESTIC, KOPIA)),
            *(_number(_of(programs, "stored_bytes", other)) for other in (RESTIC, KOPIA)),
            "**no**: " + ", ".join(failed) if failed else "yes",
            programs[OURS].measured if OURS in programs else "–",
        ]
        yield _line(cells)


def _absolute(rows: Sequence[Row], summaries: Summaries) -> Iterator[str]:
    yield (
        "| row | program | rounds | wall s, least / median | CPU s, least / median "
        "| peak PSS MiB | stored MiB | CPU s of the S3 server |"
    )
    yield "| --- | --- |" + " ---: |" * 6
    for row in rows:
        for program in (OURS, RESTIC, KOPIA):
            found = summaries[row.name].get(program)
            if found is not None:
                yield _line([row.name, program, *_numbers(found)])


def _numbers(found: Summary) -> list[str]:
    stored = f"{found.stored_bytes / MIB:.1f}" if found.stored_bytes is not None else "–"
    return [
        str(found.rounds),
        f"{found.wall_s[0]:.2f} / {found.wall_s[1]:.2f}",
        f"{found.cpu_s[0]:.2f} / {found.cpu_s[1]:.2f}",
        f"{found.pss_peak_bytes / MIB:.0f}",
        stored,
        _number(found.server_cpu_s),
    ]


def _wall(programs: Mapping[str, Summary], other: str) -> float | None:
    if OURS not in programs or other not in programs:
        return None
    return ratio(programs[OURS].wall_s[1], programs[other].wall_s[1])


def _cpu(programs: Mapping[str, Summary], other: str) -> float | None:
    if OURS not in programs or other not in programs:
        return None
    return ratio(programs[OURS].cpu_s[1], programs[other].cpu_s[1])


def _of(programs: Mapping[str, Summary], name: str, other: str) -> float | None:
    if OURS not in programs or other not in programs:
        return None
    return ratio(getattr(programs[OURS], name), getattr(programs[other], name))


def _number(found: float | None) -> str:
    return "–" if found is None else f"{found:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
