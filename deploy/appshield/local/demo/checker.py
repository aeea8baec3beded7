"""Does what was restored hold what it must, and nothing else? Pure: facts in, violations out.

The claims, for rows and files alike: the restored numbers are an unbroken prefix of the log; it
holds every write that was acknowledged before the snapshot was asked for, and none that was begun
after it was made; every one has the bytes that were sent. The objects are those of before, equal
but for what the server owns; the same images run; and nobody had to wait for the backup.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from appshield.kubernetes.kinds import Object
from appshield.local.demo.facts import Cut, Gap, Running, Stored
from appshield.local.demo.write_log import STREAMS, Entry, Stream, Write, writes_of
from appshield.manifests.cleaning import clean, differences

ALLOWED_EXTRA_GAP_S = 0.25
"""How much longer than without a backup a writer may wait."""

SHOWN = 5
"""How many numbers a violation lists."""

Rule = Literal[
    "lost write",
    "hole",
    "write after the cut",
    "unknown write",
    "changed bytes",
    "object missing",
    "object too many",
    "object changed",
    "image changed",
    "writes waited",
]


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One claim that does not hold, about what, and how."""

    rule: Rule
    about: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.about}: {self.detail}"


def check(
    *,
    log: Iterable[Entry],
    cuts: Mapping[Stream, Cut],
    gaps: Mapping[Stream, Gap],
    before: Running,
    restored: Running,
    stored: Stored,
) -> tuple[Violation, ...]:
    """Return every violation; none when the version came back whole.

    `before` is what ran when the version was made, `restored` and `stored` what was restored.
    """
    entries = tuple(log)
    found: dict[Stream, Mapping[int, str]] = {"rows": stored.rows, "files": stored.files}
    violations: list[Violation] = []
    for stream in STREAMS:
        writes = writes_of(entries, stream)
        violations += check_writes(stream, writes, found[stream], cuts[stream])
        violations += check_gap(stream, gaps[stream])
    violations += check_objects(before.objects, restored.objects)
    violations += check_images(before.images, restored.images)
    return tuple(violations)


def check_writes(
    stream: Stream, writes: tuple[Write, ...], found: Mapping[int, str], cut: Cut
) -> Iterator[Violation]:
    """Yield what is wrong with the restored numbers and digests of one stream."""
    logged = {write.n: write for write in writes}
    last = max(found, default=0)
    lost = [
        write.n
        for write in writes
        if write.acknowledged_s is not None
        and write.acknowledged_s < cut.not_before_s
        and write.n not in found
    ]
    too_new = [write.n for write in writes if write.begun_s > cut.not_after_s and write.n in found]
    holes = [write.n for write in writes if write.n < last and write.n not in found]
    unknown = [n for n in found if n not in logged]
    changed = [n for n, digest in found.items() if n in logged and logged[n].sha256 != digest]
    yield from _about("lost write", stream, lost, "acknowledged before the snapshot, not restored")
    yield from _about("hole", stream, holes, f"not restored, although {last} is")
    yield from _about("write after the cut", stream, too_new, "begun after the snapshot was made")
    yield from _about("unknown write", stream, unknown, "restored, never written")
    yield from _about("changed bytes", stream, changed, "restored with other bytes than written")


def check_gap(stream: Stream, gap: Gap) -> Iterator[Violation]:
    """Yield a violation when writers waited longer than they may."""
    if gap.backup_s > gap.baseline_s + ALLOWED_EXTRA_GAP_S:
        detail = (
            f"{gap.backup_s * 1000:.0f} ms during the backup, {gap.baseline_s * 1000:.0f} before"
        )
        yield Violation(rule="writes waited", about=stream, detail=detail)


def check_objects(
    before: Mapping[str, Object], restored: Mapping[str, Object]
) -> Iterator[Violation]:
    """Yield objects that are missing, too many, or different in what no server owns."""
    for name in sorted(before.keys() - restored.keys()):
        yield Violation(rule="object missing", about=name, detail="was there, is not restored")
    for name in sorted(restored.keys() - before.keys()):
        yield Violation(rule="object too many", about=name, detail="was not there before")
    for name in sorted(before.keys() & restored.keys()):
        differing = ", ".join(differences(clean(before[name]), clean(restored[name])))
        if differing:
            yield Violation(rule="object changed", about=name, detail=differing)


def check_images(before: Mapping[str, str], restored: Mapping[str, str]) -> Iterator[Violation]:
    """Yield containers that do not run what they ran before."""
    for container in sorted(before.keys() | restored.keys()):
        was, now = before.get(container, "nothing"), restored.get(container, "nothing")
        if was != now:
            yield Violation(rule="image changed", about=container, detail=f"{now}, was {was}")


def _about(rule: Rule, stream: Stream, numbers: list[int], what: str) -> Iterator[Violation]:
    if numbers:
        shown = ", ".join(map(str, sorted(numbers)[:SHOWN]))
        more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
        yield Violation(rule=rule, about=stream, detail=f"{shown}{more} {what}")
