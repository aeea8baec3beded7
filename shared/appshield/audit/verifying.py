"""Verifying the audit: the stream against itself, and against what was archived of it.

Alone, a stream shows what was changed, left out or put elsewhere in it, but not what is missing at
its end, nor that all of it was written anew. The archive shows that, up to the last entry in it,
and what the cluster remembers up to a newer one.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec

from appshield.audit.archive import Archive, Segment, digest_before, digests, unpack
from appshield.audit.chain import GENESIS, Break, Chain, Head, digest_of, read_entry
from appshield.contracts.audit import AuditAnchor
from appshield.errors import DamagedError

_FINDINGS_MAX = 100
_SAID = {
    "unreadable": "{0} cannot be read",
    "altered": "{0} were altered: one does not name the other as it stands",
    "missing": "{0} were removed",
    "out of order": "{0} stand out of order",
    "of another chain": "{0} of another chain stand in this one",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with the audit, in words, and which entries it is about."""

    chain: str
    what: str
    first: int = 0
    last: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was verified, and what is wrong; nothing is where `findings` is empty.

    The stream holds entries `first` to `last`; those to `archived_to` are in a Vault, too, and the
    cluster remembers that there is `remembered_to`.
    """

    chain: str
    first: int
    last: int
    head: str
    archived_to: int
    remembered_to: int
    segments: int
    findings: tuple[Finding, ...]
    findings_total: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings_total


async def verify(
    lines: AsyncIterator[bytes],
    archive: Archive,
    *,
    remembered: Sequence[Head] = (),
    ended: frozenset[str] = frozenset(),
) -> Report:
    """Verify what the stream holds, and everything that was archived.

    `remembered` is the newest entry of each chain that the cluster knows of; `ended` names chains
    that are known to have ended, as the bus that held them was lost.
    """
    heads = {head.chain: head for head in remembered}
    findings: list[Finding] = []
    archived = _Archived(archive)
    findings += [found async for found in archived.check()]
    walk = _Walk(archived, heads)
    async for line in lines:
        await walk.take(line)
    findings += walk.findings
    findings += walk.end()
    findings += _ended_chains(archive, heads, walk.chain, ended)
    findings += _lost_anchors(walk.anchors | archived.anchors, archive)
    return Report(
        chain=walk.chain,
        first=walk.first,
        last=walk.last,
        head=walk.head,
        archived_to=archived.last_of(walk.chain),
        remembered_to=heads[walk.chain].sequence if walk.chain in heads else 0,
        segments=len(archive.segments),
        findings=tuple(findings[:_FINDINGS_MAX]),
        findings_total=len(findings),
    )


class _Archived:
    """What the archive says of each entry; one stretch is in memory at a time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._loaded: Segment | None = None
        self._digests: list[str] = []
        self._bad: set[Segment] = set()
        self.anchors: set[AuditAnchor] = set()

    async def check(self) -> AsyncIterator[Finding]:
        """See that every stretch is whole and follows the one before it."""
        reached = Head(chain="")
        for segment in self._archive.segments:
            if segment.chain != reached.chain:
                reached = Head(chain=segment.chain)
            try:
                lines = unpack(await self._archive.read(segment), segment)
            except DamagedError as error:
                self._bad.add(segment)
                yield _finding(segment.chain, str(error), segment.first, segment.last)
                continue
            self.anchors |= {one for line in lines if (one := _anchor_in(line)) is not None}
            if segment.first > reached.sequence + 1:
                what = "{0} are archived nowhere, while later ones are"
                yield _about(segment.chain, what, reached.sequence + 1, segment.first - 1)
            elif segment.first == reached.sequence + 1 and digest_before(lines) != reached.digest:
                what = f"{segment.name} does not follow what was archived before it"
                yield _finding(segment.chain, what, segment.first, segment.last)
            if segment.last > reached.sequence:
                digest = digest_of(lines[-1])
                reached = Head(chain=segment.chain, sequence=segment.last, digest=digest)

    def last_of(self, chain: str) -> int:
        """Return the last entry of a chain that is archived, 0 for none."""
        return max((one.last for one in self._of(chain)), default=0)

    async def digest(self, chain: str, sequence: int) -> tuple[str, Segment] | None:
        """Return the digest of an entry as it was archived, and where; None where it was not."""
        if self._loaded is None or not _covers(self._loaded, chain, sequence):
            found = next((one for one in self._of(chain) if _covers(one, chain, sequence)), None)
            if found is None:
                return None
            self._digests = digests(unpack(await self._archive.read(found), found))
            self._loaded = found
        return self._digests[sequence - self._loaded.first], self._loaded

    def _of(self, chain: str) -> Iterator[Segment]:
        return (
            one for one in self._archive.segments if one.chain == chain and one not in self._bad
        )


class _Walk:
    """Along the stream, comparing each line with its archived one, and with what is remembered."""

    def __init__(self, archived: _Archived, heads: Mapping[str, Head]) -> None:
        self._archived = archived
        self._heads = heads
        self._along: Chain | None = None
        self._differing: list[tuple[int, Segment]] = []
        self.findings: list[Finding] = []
        self.anchors: set[AuditAnchor] = set()
        self.first = 0

    @property
    def chain(self) -> str:
        """The chain that the stream holds; empty when it holds none."""
        return self._along.head.chain if self._along else ""

    @property
    def last(self) -> int:
        """The newest entry."""
        return self._along.head.sequence if self._along else 0

    @property
    def head(self) -> str:
        """The digest of the newest entry."""
        return self._along.head.digest if self._along else GENESIS

    async def take(self, line: bytes) -> None:
        """Take the next line of the stream."""
        if self._along is None:
            await self._begin(line)
        if self._along is None:
            return
        broken = self._along.take(line)
        if broken is not None:
            self.findings.append(_broken(self.chain, broken))
        if broken is None or broken.kind in {"altered", "missing", "unreadable"}:
            await self._compare(line)
        if (anchor := _anchor_in(line)) is not None:
            self.anchors.add(anchor)

    def end(self) -> Iterator[Finding]:
        """Say what the archive has against the stream as a whole."""
        for first, last, segment in _runs_of(self._differing):
            what = f"{{0}} were written anew: {segment.name} holds others"
            yield _about(self.chain, what, first, last)
        archived_to = self._archived.last_of(self.chain)
        if self.chain and archived_to > self.last:
            what = "{0} are archived, and gone from the end of the stream"
            yield _about(self.chain, what, self.last + 1, archived_to)
        head = self._heads.get(self.chain)
        if head is not None and head.sequence > max(self.last, archived_to):
            what = "{0} were cut off the end: the cluster remembers the last one"
            yield _about(self.chain, what, max(self.last, archived_to) + 1, head.sequence)

    async def _begin(self, line: bytes) -> None:
        """Find out what the oldest line in the stream must follow."""
        try:
            entry = read_entry(line)
        except DamagedError:
            self.findings.append(_finding("", "the oldest line of the stream is no entry"))
            return
        self.first = entry.sequence
        before = Head(chain=entry.chain)
        if entry.sequence > 1:
            found = await self._archived.digest(entry.chain, entry.sequence - 1)
            if found is None:
                what = "{0} are neither in the stream nor archived"
                archived_to = self._archived.last_of(entry.chain)
                self.findings.append(_about(entry.chain, what, archived_to + 1, entry.sequence - 1))
            digest = found[0] if found else entry.previous
            before = Head(chain=entry.chain, sequence=entry.sequence - 1, digest=digest)
        self._along = Chain(before)

    async def _compare(self, line: bytes) -> None:
        found = await self._archived.digest(self.chain, self.last)
        if found is not None and found[0] != digest_of(line):
            self._differing.append((self.last, found[1]))
        head = self._heads.get(self.chain)
        if head is not None and head.sequence == self.last and head.digest != digest_of(line):
            what = "{0} was written anew, or one before it: the cluster remembers another one"
            self.findings.append(_about(self.chain, what, self.last, self.last))


def _covers(segment: Segment, chain: str, sequence: int) -> bool:
    return segment.chain == chain and segment.first <= sequence <= segment.last


def _anchor_in(line: bytes) -> AuditAnchor | None:
    if b'"anchor":{' not in line:
        return None
    try:
        return read_entry(line).event.anchor
    except DamagedError:
        return None


def _ended_chains(
    archive: Archive, heads: Mapping[str, Head], present: str, ended: frozenset[str]
) -> Iterator[Finding]:
    archived = {segment.chain: segment.last for segment in sorted(archive.segments)}
    for chain in dict.fromkeys((*archived, *heads)):
        if chain == present or chain in ended:
            continue
        kept_to = archived.get(chain, 0)
        last = max(kept_to, heads[chain].sequence if chain in heads else 0)
        kept = f"it is archived up to entry {kept_to}" if kept_to else "nothing of it is archived"
        beyond = f", and it had {last}" if last > kept_to else ""
        yield _finding(chain, f"the stream of the chain {chain} is gone; {kept}{beyond}", 1, last)


def _lost_anchors(anchors: set[AuditAnchor], archive: Archive) -> Iterator[Finding]:
    """Say what was archived by the word of the audit, and is not in its Vault."""
    there = set(archive.segments)
    for anchor in sorted(anchors, key=lambda one: (one.chain, one.first)):
        segment = Segment(
            chain=anchor.chain, first=anchor.first, last=anchor.last, vault=anchor.vault
        )
        if segment not in there and anchor.vault in archive.vaults:
            what = f"{segment.name} is gone"
            yield _finding(anchor.chain, what, anchor.first, anchor.last)


def _runs_of(differing: list[tuple[int, Segment]]) -> Iterator[tuple[int, int, Segment]]:
    """Join neighbours."""
    first, last, where = 0, 0, None
    for sequence, segment in differing:
        if where == segment and sequence == last + 1:
            last = sequence
            continue
        if where is not None:
            yield first, last, where
        first, last, where = sequence, sequence, segment
    if where is not None:
        yield first, last, where


def _broken(chain: str, found: Break) -> Finding:
    return _about(chain, _SAID[found.kind], found.first, found.last)


def _about(chain: str, what: str, first: int, last: int) -> Finding:
    entries = f"entries {first} to {last}" if last > first else f"entry {first}"
    said = what.format(entries)
    if last <= first:
        said = (
            said.replace(" were ", " was ").replace(" are ", " is ").replace(" stand ", " stands ")
        )
    return _finding(chain, said, first, last)


def _finding(chain: str, what: str, first: int = 0, last: int = 0) -> Finding:
    return Finding(chain=chain, what=what, first=first, last=last)
