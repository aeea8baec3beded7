"""Whatever is done to the audit is found and named."""

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appshield.audit import Head, Report, Segment, digest_of, link, pack, read_entry, verify
from appshield.contracts.audit import AuditAnchor
from appshield.errors import DamagedError
from audit_events import AT, event

CHAIN = "c0ffee"
ENTRIES = 12


class Archived:
    """An archive of stretches, in memory."""

    def __init__(self, lines: Sequence[bytes] = (), *ends: int, vault: str = "primary") -> None:
        self._contents: dict[Segment, bytes] = {}
        self.vaults = frozenset({vault})
        first = 1
        for last in ends:
            segment = Segment(chain=CHAIN, first=first, last=last, vault=vault)
            self._contents[segment] = pack(lines[first - 1 : last])
            first = last + 1

    @property
    def segments(self) -> list[Segment]:
        return sorted(self._contents)

    def lose(self, segment: Segment) -> None:
        del self._contents[segment]

    def put(self, segment: Segment, content: bytes) -> None:
        self._contents[segment] = content

    async def read(self, segment: Segment) -> bytes:
        return self._contents[segment]


def written(count: int = ENTRIES, *, by: str = "anna") -> list[bytes]:
    """Write a chain."""
    events = [event(f"e{number}", actor=by) for number in range(count)]
    return link(Head(chain=CHAIN), events, AT)[0]


async def _given(lines: Sequence[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


async def verified(lines: Sequence[bytes], archive: Archived | None = None) -> Report:
    """Verify lines against an archive, or against nothing."""
    return await verify(_given(lines), archive or Archived())


def said(report: Report) -> list[str]:
    return [finding.what for finding in report.findings]


async def test_a_whole_chain_is_whole() -> None:
    """With and without an archive, also where the stream holds only its end."""
    lines = written()
    assert said(await verified(lines)) == []
    report = await verified(lines, Archived(lines, 4, 9))
    assert report.ok
    assert (report.first, report.last, report.archived_to) == (1, ENTRIES, 9)
    assert report.head == digest_of(lines[-1])
    trimmed = await verified(lines[7:], Archived(lines, 4, 9))
    assert (trimmed.ok, trimmed.first) == (True, 8)
    assert (await verified([])).ok


@given(st.data())
async def test_any_alteration_of_any_byte_is_found(data: st.DataObject) -> None:
    """Whichever byte of whichever archived line becomes whichever other one."""
    lines = written()
    at = data.draw(st.integers(0, ENTRIES - 1))
    byte = data.draw(st.integers(0, len(lines[at]) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(lines[at])
    changed[byte] ^= other
    forged = [*lines[:at], bytes(changed), *lines[at + 1 :]]
    assert not (await verified(forged, Archived(lines, ENTRIES))).ok
    if at < ENTRIES - 1:
        assert not (await verified(forged)).ok


@given(st.permutations(range(ENTRIES)), st.sets(st.integers(0, ENTRIES - 1)))
async def test_any_other_order_and_any_gap_is_found(order: list[int], gone: set[int]) -> None:
    """Only the whole chain in its order passes, where its end is archived."""
    lines = written()
    left = [lines[at] for at in order if at not in gone]
    report = await verified(left, Archived(lines, ENTRIES))
    assert report.ok == (left == lines or left == lines[ENTRIES - len(left) :] != [])


async def test_what_was_removed_is_named() -> None:
    """From the middle, from the end, and from the beginning of what is archived nowhere."""
    lines = written()
    assert said(await verified([*lines[:3], *lines[5:]])) == ["entries 4 to 5 were removed"]
    cut = await verified(lines[:6], Archived(lines, 8))
    assert said(cut) == ["entries 7 to 8 are archived, and gone from the end of the stream"]
    begun_late = await verified(lines[6:], Archived(lines, 4))
    assert said(begun_late) == ["entries 5 to 6 are neither in the stream nor archived"]


async def test_what_was_altered_is_named() -> None:
    """By the one that names it, and by the archive where it is archived."""
    lines = written()
    lines[4] = lines[4].replace(b"anna", b"olga")
    assert said(await verified(lines)) == [
        "entries 5 to 6 were altered: one does not name the other as it stands"
    ]
    report = await verified(lines, Archived(written(), 8))
    assert any("entry 5 was written anew" in what for what in said(report)), said(report)


async def test_a_chain_that_was_written_anew_is_found_by_its_archive() -> None:
    """It is whole in itself, so nothing else can."""
    forged = written(by="nobody")
    assert (await verified(forged)).ok
    report = await verified(forged, Archived(written(), 8))
    where = "audit/c0ffee/000000000001-000000000008 in Vault primary"
    assert said(report) == [f"entries 1 to 8 were written anew: {where} holds others"]


async def test_what_stands_out_of_order_is_named() -> None:
    """Nothing is hidden behind it."""
    lines = written()
    moved = [*lines[:2], lines[3], lines[2], *lines[4:]]
    assert said(await verified(moved)) == ["entry 3 was removed", "entry 3 stands out of order"]


async def test_a_line_that_is_no_entry_is_named() -> None:
    """And what follows is verified all the same."""
    lines = written()
    lines[4] = b"{}"
    found = said(await verified(lines))
    assert "entry 5 cannot be read" in found


async def test_an_archive_that_was_tampered_with_is_found() -> None:
    """Its objects missing by the word of the audit, swapped, or with a hole between them."""
    lines = written()
    anchor = AuditAnchor(
        vault="primary", chain=CHAIN, first=1, last=4, digest=digest_of(lines[3]), stored_to=4
    )
    told = event("anchor", teller="uploader", action="archive-audit", anchor=anchor)
    head = Head(chain=CHAIN, sequence=ENTRIES, digest=digest_of(lines[-1]))
    lines = [*lines, *link(head, [told], AT)[0]]
    first = Segment(chain=CHAIN, first=1, last=4, vault="primary")
    archive = Archived(lines, 4, 9)
    assert (await verified(lines, archive)).ok
    archive.lose(first)
    assert said(await verified(lines, archive)) == [
        "entries 1 to 4 are archived nowhere, while later ones are",
        f"{first.name} is gone",
    ]
    archive.put(first, pack(written(4, by="nobody")))
    second = Segment(chain=CHAIN, first=5, last=9, vault="primary")
    found = said(await verified(lines, archive))
    assert f"{second.name} does not follow what was archived before it" in found
    archive.put(first, pack(lines[:3]))
    found = said(await verified(lines, archive))
    assert f"{first.name} does not hold entries 1 to 4" in found


async def test_a_vault_that_was_not_read_accuses_nobody() -> None:
    """What it holds is not known; who verifies says which Vaults could not be read."""
    anchor = AuditAnchor(vault="away", chain=CHAIN, first=1, last=4, digest="0", stored_to=4)
    lines = link(Head(chain=CHAIN), [event("anchor", anchor=anchor)], AT)[0]
    assert (await verified(lines)).ok


async def test_a_chain_that_is_gone_is_found_until_somebody_says_that_it_ended() -> None:
    """A bus that lost everything, or an attacker who removed the stream: a person knows which."""
    lines = written()
    fresh = link(Head(chain="beef"), [event("one")], AT)[0]
    report = await verified(fresh, Archived(lines, 8))
    assert said(report) == ["the stream of the chain c0ffee is gone; it is archived up to entry 8"]
    known = await verify(_given(fresh), Archived(lines, 8), ended=frozenset({CHAIN}))
    assert known.ok
    assert not (await verified([], Archived(lines, 8))).ok


def test_fields_of_a_newer_release_are_part_of_the_digest() -> None:
    """An entry is read without them, and its line still counts as a whole."""
    line = written(1)[0]
    newer = line[:-1] + b',"added":1}'
    assert read_entry(newer) == read_entry(line)
    assert digest_of(newer) != digest_of(line)


@pytest.mark.parametrize("line", [b"", b"{}", b"null", b"\xff"])
def test_what_is_no_entry_is_damage(line: bytes) -> None:
    """Whatever it is."""
    with pytest.raises(DamagedError, match="no entry"):
        read_entry(line)


def test_a_line_is_one_line() -> None:
    """Whatever somebody writes into it."""
    lines = link(Head(chain=CHAIN), [event("a", reason="one\ntwo\r\n")], AT)[0]
    assert b"\n" not in lines[0]
    entry = msgspec.json.decode(lines[0], type=type(read_entry(lines[0])))
    assert replace(entry).event.reason == "one\ntwo\r\n"


def head_of(lines: Sequence[bytes]) -> Head:
    """Give the head that a chain has after these lines."""
    return Head(chain=CHAIN, sequence=len(lines), digest=digest_of(lines[-1]))


async def test_what_is_cut_off_the_end_is_found_though_nothing_is_archived() -> None:
    """The cluster remembers how far it went; also beyond what was archived."""
    lines = written()
    remembered = [head_of(lines)]
    whole = await verify(_given(lines), Archived(), remembered=remembered)
    assert (whole.ok, whole.remembered_to) == (True, ENTRIES)
    cut = await verify(_given(lines[:9]), Archived(), remembered=remembered)
    assert said(cut) == [
        "entries 10 to 12 were cut off the end: the cluster remembers the last one"
    ]
    cut = await verify(_given(lines[:9]), Archived(lines, 11), remembered=remembered)
    assert said(cut) == [
        "entries 10 to 11 are archived, and gone from the end of the stream",
        "entry 12 was cut off the end: the cluster remembers the last one",
    ]


async def test_what_is_written_anew_after_what_was_archived_is_found() -> None:
    """Other entries take the place of those that were cut off, as many or more."""
    lines = written()
    head = Head(chain=CHAIN, sequence=9, digest=digest_of(lines[8]))
    anew = [*lines[:9], *link(head, [event(f"new{number}") for number in range(5)], AT)[0]]
    report = await verify(_given(anew), Archived(lines, 9), remembered=[head_of(lines)])
    assert said(report) == [
        "entry 12 was written anew, or one before it: the cluster remembers another one"
    ]


async def test_a_chain_that_ended_before_it_was_archived_is_found() -> None:
    """Until a person says that its bus was lost."""
    lines = written()
    gone = Head(chain="ended", sequence=3, digest="0" * 64)
    report = await verify(_given(lines), Archived(), remembered=[gone])
    assert said(report) == [
        "the stream of the chain ended is gone; nothing of it is archived, and it had 3"
    ]
    known = await verify(_given(lines), Archived(), remembered=[gone], ended=frozenset({"ended"}))
    assert known.ok
