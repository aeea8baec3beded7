"""Devices stored in fixed chunks, zeros apart, and restored by writing only what differs."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import DamagedError, RunFailedError
from appshield.repository.files.blocks import (
    SMALLEST_CHUNK_BYTES,
    RestoredBlocks,
    StoredBlocks,
    block_node,
    chunk_bytes,
    differ_blocks,
    restore_blocks,
    store_blocks,
)
from repository_fakes import MemoryBlobs

CHUNK = SMALLEST_CHUNK_BYTES
SIZE = 10 * CHUNK + 4096  # devices need not end with a whole chunk


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def loop_device(file: Path) -> Iterator[Path]:
    """Give a real device over a file."""
    made = subprocess.run(
        ["losetup", "--find", "--show", file], check=True, capture_output=True, text=True
    )
    device = Path(made.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def sparse(path: Path, size: int = SIZE) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def put(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def store(path: Path, blobs: MemoryBlobs) -> StoredBlocks:
    with opened(path) as descriptor:
        return store_blocks(descriptor, blobs, advance=lambda _: None)


def restore(path: Path, stored: StoredBlocks, blobs: MemoryBlobs) -> RestoredBlocks:
    node = block_node(b"disk", stored, mtime_ns=0)
    with opened(path) as descriptor:
        return restore_blocks(descriptor, node, blobs, advance=lambda _: None)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def test_holes_are_not_read_and_all_zeros_are_one_blob(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """Zeros that were written are zeros like any other; a rest has a size of its own."""
    disk = sparse(tmp_path / "disk")
    put(disk, 2 * CHUNK, noise(CHUNK))
    put(disk, 5 * CHUNK, bytes(CHUNK))
    stored = store(disk, blobs)
    assert stored.size_bytes == SIZE
    assert stored.bytes_read == 2 * CHUNK
    assert len(stored.content) == 11
    assert len(set(stored.content)) == 3  # noise, a chunk of zeros, the rest
    assert blobs.data_calls == 3


def test_one_changed_block_is_one_new_chunk(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """Chunks are aligned: nothing after the change moves."""
    disk = sparse(tmp_path / "disk")
    put(disk, 0, noise(SIZE))
    before = store(disk, blobs)
    put(disk, 4 * CHUNK + 8192, b"one block")
    after = store(disk, blobs)
    differing = [at for at in range(11) if before.content[at] != after.content[at]]
    assert differing == [4]


def test_only_what_differs_is_written_and_zeros_are_given_back(
    tmp_path: Path, blobs: MemoryBlobs
) -> None:
    """Onto a device that holds something else; the file behind it has holes again."""
    disk = sparse(tmp_path / "disk")
    put(disk, CHUNK, noise(3 * CHUNK))
    stored = store(disk, blobs)
    target = sparse(tmp_path / "target", SIZE + CHUNK)
    put(target, CHUNK, noise(2 * CHUNK))
    put(target, 7 * CHUNK, noise(CHUNK, 9))
    blobs.reads = 0
    done = restore(target, stored, blobs)
    assert done == RestoredBlocks(2 * CHUNK, SIZE - 2 * CHUNK)
    assert blobs.reads == 1
    assert target.read_bytes()[:SIZE] == disk.read_bytes()
    assert target.stat().st_blocks * 512 <= 4 * CHUNK
    assert restore(target, stored, blobs).bytes_written == 0


def test_a_real_device_comes_back_equal(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """Its size is found, its zeros are found by reading, and zeros are written by discarding."""
    file = sparse(tmp_path / "disk")
    put(file, 0, noise(CHUNK))
    put(file, 6 * CHUNK + 512, noise(1000, 1))
    with loop_device(file) as device:
        stored = store(device, blobs)
    assert stored.size_bytes == SIZE
    assert len(set(stored.content)) == 4
    other = sparse(tmp_path / "other")
    put(other, 2 * CHUNK, noise(3 * CHUNK, 2))
    with loop_device(other) as device:
        done = restore(device, stored, blobs)
        assert restore(device, stored, blobs).bytes_written == 0
    assert done.bytes_written == 5 * CHUNK
    assert other.read_bytes() == file.read_bytes()


def test_a_damaged_chunk_is_an_error_and_never_written(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """The device keeps what it had there."""
    disk = sparse(tmp_path / "disk")
    put(disk, 3 * CHUNK, noise(CHUNK))
    stored = store(disk, blobs)
    blobs.damage(stored.content[3])
    target = sparse(tmp_path / "target")
    with pytest.raises(DamagedError):
        restore(target, stored, blobs)
    assert target.read_bytes() == bytes(SIZE)


def test_what_is_damaged_is_left_out_and_told_when_asked(
    tmp_path: Path, blobs: MemoryBlobs
) -> None:
    """Damaged or missing, everything else comes back."""
    disk = sparse(tmp_path / "disk")
    for at in (2, 3, 5):
        put(disk, at * CHUNK, noise(CHUNK, at))
    stored = store(disk, blobs)
    blobs.damage(stored.content[3])
    del blobs.blobs[stored.content[5]]
    target = sparse(tmp_path / "target")
    node = block_node(b"disk", stored, mtime_ns=0)
    with opened(target) as descriptor:
        done = restore_blocks(descriptor, node, blobs, advance=lambda _: None, keep_going=True)
    told = [f"bytes {at * CHUNK} to {(at + 1) * CHUNK}" for at in (3, 5)]
    assert set(done.lost) == set(told)
    assert done.bytes_written == CHUNK
    assert target.read_bytes()[2 * CHUNK : 3 * CHUNK] == noise(CHUNK, 2)


def test_whether_a_restore_would_change_a_device_is_told_without_writing(
    tmp_path: Path, blobs: MemoryBlobs
) -> None:
    """For a dry run."""
    disk = sparse(tmp_path / "disk")
    put(disk, CHUNK, noise(CHUNK))
    node = block_node(b"disk", store(disk, blobs), mtime_ns=0)
    empty = sparse(tmp_path / "empty")
    for path, differs in ((disk, False), (empty, True)):
        before = path.read_bytes()
        with opened(path) as descriptor:
            assert differ_blocks(descriptor, node, blobs, advance=lambda _: None) is differs
        assert path.read_bytes() == before


def test_the_list_of_chunks_stays_short_however_large_the_device_is() -> None:
    """A chunk is never larger than what any reader of the format takes."""
    tib = 1 << 40
    sizes = {64 << 30: 256 << 10, (64 << 30) + 1: 512 << 10, tib: 4 << 20, 64 * tib: 8 << 20}
    assert {size: chunk_bytes(size) for size in sizes} == sizes


def test_a_device_that_is_too_small_is_refused_untouched(
    tmp_path: Path, blobs: MemoryBlobs
) -> None:
    """Both sizes are told."""
    disk = sparse(tmp_path / "disk")
    put(disk, 0, noise(CHUNK))
    stored = store(disk, blobs)
    small = sparse(tmp_path / "small", SIZE - 4096)
    with pytest.raises(RunFailedError, match=f"it has {SIZE - 4096} bytes, the version {SIZE}"):
        restore(small, stored, blobs)
    assert small.read_bytes() == bytes(SIZE - 4096)


def test_a_stop_is_heard_and_the_next_call_goes_on(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """What was written is found again."""
    disk = sparse(tmp_path / "disk", 200 * CHUNK)
    put(disk, 0, noise(CHUNK))
    put(disk, 150 * CHUNK, noise(CHUNK, 1))
    stored = store(disk, blobs)
    target = sparse(tmp_path / "target", 200 * CHUNK)

    def stop(_: int) -> None:
        raise RunFailedError("stopped")

    with opened(target) as descriptor, pytest.raises(RunFailedError, match="stopped"):
        restore_blocks(descriptor, block_node(b"d", stored, mtime_ns=0), blobs, advance=stop)
    assert restore(target, stored, blobs).bytes_written == CHUNK
    assert target.read_bytes() == disk.read_bytes()


pieces = st.lists(
    st.tuples(st.integers(0, SIZE - 1), st.integers(1, 3 * CHUNK), st.integers(0, 3)),
    max_size=5,
)


@given(first=pieces, second=pieces)
def test_whatever_was_there_the_device_holds_what_was_stored(
    first: list[tuple[int, int, int]],
    second: list[tuple[int, int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Any writes to either; seed 0 writes zeros."""
    folder = tmp_path_factory.mktemp("blocks")
    blobs = MemoryBlobs()
    disk, target = sparse(folder / "disk"), sparse(folder / "target")
    for path, writes in ((disk, first), (target, second)):
        for offset, length, seed in writes:
            size = min(length, SIZE - offset)
            put(path, offset, noise(size, seed) if seed else bytes(size))
    stored = store(disk, blobs)
    restore(target, stored, blobs)
    assert target.read_bytes() == disk.read_bytes()
    assert restore(target, stored, blobs).bytes_written == 0
