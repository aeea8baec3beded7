"""What memory AppShield takes where there is a lot of everything: blobs, entries, files.

    million   a repository of 1,000,000 blobs of 1 KiB, and 10,000 new files into it
    lone      300,000 files in one folder;  nested: the same in folders of 100
    huge      2,000,000 files, each a blob (only when asked for: it takes long)

The repositories are local folders on the disk of the cache. That of a million blobs is made once
by our own writer and linked, file by file, for each measurement. It is copied whole into a second
repository, and healed from there after a third of its packs has gone.
"""

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appshield.objectstore import FolderObjectStore
from appshield.repository import (
    Node,
    Repository,
    RepositoryLock,
    SnapshotDocument,
    Writer,
    seal_snapshot,
)
from bench.byte_path import SOURCE
from bench.data_sets import DATA_SETS, KIB, MADE_AT_NS, MIB, ensure_made, key_stream
from bench.measuring import measure
from bench.programs import PASSWORD, AppShield, Command
from bench.samples import Samples, Summary
from bench.targets import LocalFolder

BLOB_BYTES: Final = KIB
BLOBS_OF_A_FILE: Final = 1000
FILES_OF_A_FOLDER: Final = 100
PROGRAM: Final = "appshield"

PLAIN_BYTES: Final = 256 * MIB
FURTHER_BLOB_BYTES: Final = 64
ONE_FOLDER_BYTES: Final = 64 * MIB
HUGE_BYTES: Final = 384 * MIB
VERBS: Final = ("backup", "restore", "check", "check-data", "prune")
VERBS_OF_A_MILLION: Final = ("restore", "check", "check-data", "copy", "heal", "backup", "prune")
"""What is restored there is the version that has the blobs; what is pruned is the one after."""
LOST_SHARE: Final = 3
"""Before it is healed, one of so many packs goes."""


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One command on one amount of things, and how much memory it may take."""

    amount: str
    verb: str

    @property
    def name(self) -> str:
        """What the row is called in the table."""
        return f"memory-{self.amount}-{self.verb}"

    def bound_bytes(self, summaries: Mapping[str, Mapping[str, Summary]]) -> int | None:
        """Return the largest allowed peak; for one folder it depends on the nested ones."""
        match self.amount:
            case "million":
                further = DATA_SETS["small"].files // 10
                return PLAIN_BYTES + FURTHER_BLOB_BYTES * further
            case "huge":
                return HUGE_BYTES
            case "lone":
                nested = MemoryRow("nested", self.verb).name
                known = summaries.get(nested, {}).get(PROGRAM)
                return known.pss_peak_bytes + ONE_FOLDER_BYTES if known else None
        return PLAIN_BYTES


def memory_rows(*, large: bool, only: Sequence[str] = ()) -> list[MemoryRow]:
    """Return the rows in the order in which they are measured; of those with words of `only`."""
    amounts = ["nested", "lone", *(["huge"] if large else [])]
    others = [MemoryRow(amount, verb) for amount in amounts for verb in VERBS]
    rows = [*(MemoryRow("million", verb) for verb in VERBS_OF_A_MILLION), *others]
    wanted = [words.split("-") for words in only]
    return [
        row
        for row in rows
        if not wanted or any(set(words) <= set(row.name.split("-")) for words in wanted)
    ]


@dataclass(frozen=True, slots=True)
class MemoryBench:
    """Where things are, and who is told."""

    cache: Path
    work: Path
    samples: Samples
    scale: float
    report: Callable[[str], None]

    def run(self, rows: Sequence[MemoryRow]) -> None:
        """Measure rows, each once."""
        for amount in dict.fromkeys(row.amount for row in rows):
            folder = self.cache / "memory"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                self._run_amount(amount, [row for row in rows if row.amount == amount], folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _run_amount(self, amount: str, rows: Sequence[MemoryRow], folder: Path) -> None:
        target, program = LocalFolder(folder), AppShield(self.work / "homes")
        name = "small" if amount == "million" else amount
        scale = self.scale / 10 if amount == "million" else self.scale
        source = ensure_made(self.cache / "data", DATA_SETS[name].scaled(scale))
        if amount == "million":
            made = self._repository_of_a_million()
            shutil.copytree(made, target.folder(amount), copy_function=os.link)
        else:
            program.prepare(target, amount)
        into = folder / "restored"
        into.mkdir()
        forgotten = ["--forget-last"] if amount == "million" else []
        commands: Mapping[str, Command] = {
            "backup": program.backup(target, amount, source),
            "restore": program.restore(target, amount, source, into),
            "check": program.other(target, amount, "check"),
            "check-data": program.other(target, amount, "check", "--read-data"),
            "prune": program.other(target, amount, "prune", *forgotten),
            "copy": program.other(target, amount, "copy", str(folder / "copied")),
            "heal": program.other(target, amount, "heal", str(folder / "copied")),
        }
        for row in rows:
            if row.verb == "heal":
                self._damage(target.folder(amount), commands["copy"], folder / "copied")
            self._measure(row, commands[row.verb])

    def _measure(self, row: MemoryRow, command: Command) -> None:
        words, environment = command
        measured = measure(words, environment=environment, output=self.work / "output.log")
        self.samples.add(0, row.name, PROGRAM, measured)
        self.report(
            f"{row.name:26} {measured.wall_s:8.2f} s wall {measured.cpu_s:8.2f} s CPU "
            f"{measured.pss_peak_bytes / MIB:6.0f} MiB"
        )

    def _damage(self, repository: Path, copy: Command, copied: Path) -> None:
        """Let packs of the repository be lost that a copy has; it is made unless it is there."""
        if not copied.exists():
            words, environment = copy
            measure(words, environment=environment, output=self.work / "output.log")
        packs = sorted(path for path in (repository / "data").rglob("*") if path.is_file())
        for pack in packs[::LOST_SHARE]:
            pack.unlink()

    def _repository_of_a_million(self) -> Path:
        files = max(1, round(1_000_000 * self.scale / BLOBS_OF_A_FILE))
        folder = self.cache / "data" / f"repository-{files}x{BLOBS_OF_A_FILE}"
        if not folder.exists():
            self.report(f"making a repository of {files * BLOBS_OF_A_FILE:,} blobs")
            unnamed = folder.with_suffix(".making")
            shutil.rmtree(unnamed, ignore_errors=True)
            fill(unnamed, files)
            unnamed.rename(folder)
        return folder


def fill(folder: Path, files: int) -> None:
    """Make a repository whose files hold many small blobs, of which no two are equal."""
    repository = Repository.create(FolderObjectStore(folder), PASSWORD)
    with RepositoryLock.acquire(repository, owner="bench") as lock:
        with Writer(repository, lock) as writer:
            subfolders = [
                _folder(b"%05d" % first, writer.add_tree(_files(writer, first, files)))
                for first in range(0, files, FILES_OF_A_FOLDER)
            ]
            tree = writer.add_tree([_folder(SOURCE, writer.add_tree(subfolders))])
        document = SnapshotDocument(time=_made_at(), tree=tree.hex(), paths=("/source",))
        repository.publish_snapshot(seal_snapshot(repository, document), lock=lock)


def _files(writer: Writer, first: int, files: int) -> Iterator[Node]:
    for number in range(first, min(files, first + FILES_OF_A_FOLDER)):
        noise = key_stream(f"blobs of file {number}")
        content = tuple(writer.add_data(noise(BLOB_BYTES)) for _ in range(BLOBS_OF_A_FILE))
        yield Node(
            name=b"file-%05d" % number, kind="file", mode=0o644, mtime_ns=MADE_AT_NS,
            atime_ns=MADE_AT_NS, ctime_ns=MADE_AT_NS, uid=0, gid=0,
            size_bytes=BLOB_BYTES * BLOBS_OF_A_FILE, content=content,
        )  # fmt: skip


def _folder(name: bytes, subtree: bytes) -> Node:
    return Node(
        name=name, kind="dir", mode=0o755, mtime_ns=MADE_AT_NS, atime_ns=MADE_AT_NS,
        ctime_ns=MADE_AT_NS, uid=0, gid=0, subtree=subtree,
    )  # fmt: skip


def _made_at() -> dt.datetime:
    return dt.datetime.fromtimestamp(MADE_AT_NS / 1e9, dt.UTC)


def markdown(rows: Sequence[MemoryRow], summaries: Mapping[str, Mapping[str, Summary]]) -> str:
    """Write the rows beside their bounds, those that were not measured, too."""
    lines = ["| row | peak PSS MiB | at most | holds | wall s | CPU s | measured |"]
    lines.append("| --- | ---: | ---: | --- | ---: | ---: | --- |")
    for row in rows:
        most = row.bound_bytes(summaries)
        bound = "–" if most is None else f"{most / MIB:.0f}"
        found = summaries.get(row.name, {}).get(PROGRAM)
        if found is None:
            lines.append(f"| {row.name} | not measured | {bound} | – | – | – | – |")
            continue
        holds = "–" if most is None else "yes" if found.pss_peak_bytes <= most else "**no**"
        lines.append(
            f"| {row.name} | {found.pss_peak_bytes / MIB:.0f} | {bound} | {holds} "
            f"| {found.wall_s[1]:.1f} | {found.cpu_s[1]:.1f} | {found.measured} |"
        )
    return "\n".join(lines) + "\n"
