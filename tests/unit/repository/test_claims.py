"""Claims: of several who ask for a blob one is told to store it, in whatever process."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from appshield.repository import LockLostError
from appshield.repository import claims as claims_module
from appshield.repository.blobs import blob_id
from appshield.repository.claims import Claims, ClaimTable
from appshield.repository.freshness import Freshness
from appshield.repository.index import Index
from appshield.repository.packs import PackEntry


@pytest.fixture
def table() -> ClaimTable:
    return ClaimTable.create()


def test_each_key_is_new_once(table: ClaimTable) -> None:
    """However many there are: the table grows several times here."""
    keys = [random.Random(number).randbytes(16) for number in range(150_000)]
    assert all(map(table.add, keys))
    assert not any(map(table.add, keys))
    assert table._map[0] == 2


def test_processes_share_a_table(table: ClaimTable) -> None:
    """What one has claimed is known to the others, across growth."""
    keys = [random.Random(number).randbytes(16) for number in range(60_000)]
    child = os.fork()
    if not child:
        theirs = ClaimTable(table.descriptor, process=1)
        os._exit(0 if all(map(theirs.add, keys[:40_000])) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert [table.add(key) for key in keys] == [False] * 40_000 + [True] * 20_000


def test_keys_that_meet_in_one_slot_are_told_apart(table: ClaimTable) -> None:
    """By their other bits."""
    keys = [bytes(8) + number.to_bytes(8, "big") for number in range(1, 500)]
    assert all(map(table.add, keys))
    assert not any(map(table.add, keys))


def test_an_empty_key_is_always_stored(table: ClaimTable) -> None:
    """It looks like an empty slot; a second copy is legal, a lost blob is not."""
    assert [table.add(bytes(16)) for _ in range(3)] == [True] * 3


def test_a_small_table_takes_little_memory(table: ClaimTable) -> None:
    """What is not touched is not there."""
    for number in range(100):
        table.add(random.Random(number).randbytes(16))
    assert os.fstat(table.descriptor).st_blocks * 512 < 1 << 20
    assert os.fstat(table.descriptor).st_size > claims_module.FIRST_SLOTS * 16


def test_chunks_and_directories_of_the_same_bytes_are_two_claims(table: ClaimTable) -> None:
    """And what an index names needs none."""
    index = Index()
    claims = Claims(index, table)
    one, other = blob_id(b"1"), blob_id(b"2")
    assert claims.claim("data", one)
    assert claims.claim("tree", one)
    assert not claims.claim("data", one)
    assert claims.unknown("data", one + other) == {one, other}
    index.add("ab" * 32, [PackEntry(other, "data", 0, 100, 0)])
    assert claims.unknown("data", one + other) == {one}
    assert not claims.claim("data", other)


def test_nothing_is_written_once_the_lock_was_not_renewed_in_time() -> None:
    """The moment is shared."""
    ours = Freshness.create()
    theirs = Freshness.attached(ours.descriptors)
    ours.extend(60)
    theirs.ensure()
    ours.extend(0)
    with pytest.raises(LockLostError, match="renewed in time"):
        theirs.ensure()


def test_nothing_is_written_before_the_lock_has_settled() -> None:
    """Who comes earlier waits for the first moment."""
    ours = Freshness.create()
    theirs = Freshness.attached(ours.descriptors)
    with ThreadPoolExecutor(1) as elsewhere:
        waiting = elsewhere.submit(theirs.ensure)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.1)
        ours.extend(60)
        waiting.result(timeout=30)


def test_many_chunks_are_claimed_as_each_alone(table: ClaimTable) -> None:
    """One of several equal ones is to be stored, and none that an index names."""
    index = Index()
    claims = Claims(index, table)
    one, two, known = blob_id(b"1"), blob_id(b"2"), blob_id(b"3")
    index.add("ab" * 32, [PackEntry(known, "data", 0, 100, 0)])
    assert claims.claim("data", two)
    assert claims.claim_each([one, two, known, one]) == [True, False, False, False]
    assert claims.claim_each([]) == []
