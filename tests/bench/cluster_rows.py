"""What is measured end to end, what is allowed for it, and the table of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.data_sets import MIB
from bench.samples import Summary

OURS: Final = "appshield"
BUS: Final = "message bus"
SERVER: Final = "s3 server"
KUBERNETES: Final = "kubernetes"
BESIDE: Final = (BUS, SERVER, KUBERNETES)

PEER: Final = "Velero 1.18.3 with its kopia uploader"
PEER_PSS_BYTES: Final = 570 * MIB
PSS_BYTES: Final = PEER_PSS_BYTES // 2


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One thing that is waited for, how long it may take, and how long the peer needed."""

    name: str
    allowed_s: float
    peer_s: float | None = None
    has_memory: bool = True


def _of_data(data_set: str, step: str, peer_s: float, share: float) -> ClusterRow:
    return ClusterRow(f"{data_set}-{step}", peer_s * share, peer_s)


ROWS: Final = (
    _of_data("mixed", "first", 26.0, 0.5),
    _of_data("mixed", "changed", 5.4, 0.5),
    _of_data("mixed", "restore", 17.0, 0.5),
    _of_data("small", "first", 10.9, 0.5),
    _of_data("small", "changed", 5.4, 0.5),
    _of_data("small", "restore", 56.0, 0.2),
    ClusterRow("stored-p50", 0.15, has_memory=False),
    ClusterRow("stored-p99", 0.5, has_memory=False),
    ClusterRow("command-backup", 0.5, 0.35, has_memory=False),
    ClusterRow("command-restore", 0.57, 0.57, has_memory=False),
    ClusterRow("command-list", 0.5, has_memory=False),
)

NOTES: Final = f"""\
`mixed` are 2 GiB in 200 files, `small` 50,000 files of 4 KiB, in the volume of an application on
the local cluster. `first` and `changed` (1 % of the bytes or files) run from the request on the bus
until the version exists (`backup.stored` is in the stream); `restore`, into an empty namespace,
from the request until the pod is ready, and the data of both volumes are compared afterwards.
`stored-p50` and `stored-p99`: from the publication of a request to the stream's time stamp of
`backup.stored`, of an application without volumes, one after the other. `command-…`: the wall time
of the command line, for `backup --wait`, `restore --wait` and `versions` of that application.

{PEER} needed the times in the column `peer` on a machine like this one, and 570 MiB.
PSS: proportional set size, sampled each 50 ms or more rarely, of `appshield up` and all of its
processes but the message bus and the S3 server, which stand beside it, as does Kubernetes (once,
at the end).
"""


def markdown(summaries: Mapping[str, Mapping[str, Summary]]) -> str:
    """Write the rows that were measured; nothing where there are none."""
    measured = [row for row in ROWS if OURS in summaries.get(row.name, {})]
    if not measured:
        return ""
    heads = ("row", "wall s, least / median", "peer s", "allowed s", "peak PSS MiB (≤ 285)")
    beside = ("CPU s", *(f"{name}: PSS MiB, CPU s" for name in BESIDE), "holds")
    lines = [_line([*heads, *beside]), "| --- |" + " ---: |" * 8 + " --- |"]
    lines += [_row(row, summaries[row.name]) for row in measured]
    return "\n".join(lines) + "\n"


def is_whole(summaries: Mapping[str, Mapping[str, Summary]], rounds: int) -> bool:
    """Tell whether every row was measured often enough."""
    found = (summaries.get(row.name, {}).get(OURS) for row in ROWS)
    return all(one is not None and one.rounds >= rounds for one in found)


def failed(row: ClusterRow, ours: Summary) -> list[str]:
    """Return what does not hold: time, memory, or nothing."""
    late = round(ours.wall_s[1], 2) > round(row.allowed_s, 2)
    large = row.has_memory and ours.pss_peak_bytes > PSS_BYTES
    return [name for name, bad in (("wall", late), ("memory", large)) if bad]


def _row(row: ClusterRow, programs: Mapping[str, Summary]) -> str:
    ours = programs[OURS]
    bad = failed(row, ours)
    return _line(
        [
            row.name,
            f"{ours.wall_s[0]:.2f} / {ours.wall_s[1]:.2f}",
            f"{row.peer_s:g}" if row.peer_s else "–",
            f"≤ {row.allowed_s:.2f}",
            f"{ours.pss_peak_bytes / MIB:.0f}" if row.has_memory else "–",
            f"{ours.cpu_s[1]:.2f}",
            *(_beside(programs.get(name)) for name in BESIDE),
            f"**no**: {', '.join(bad)}" if bad else "yes",
        ]
    )


def _beside(found: Summary | None) -> str:
    return f"{found.pss_peak_bytes / MIB:.0f}, {found.cpu_s[1]:.2f}" if found else "–"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
