"""Places to save from and to restore into."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository_fakes import MemoryBlobs
from stored_directories import CHUNK_BYTES


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty directory to save."""
    source = tmp_path / "source"
    source.mkdir()
    return source


@pytest.fixture
def blobs() -> MemoryBlobs:
    """Where what is saved goes."""
    return MemoryBlobs(chunk_bytes=CHUNK_BYTES)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty directory."""
    target = tmp_path / "target"
    target.mkdir()
    return target


@pytest.fixture
def small_volume(target: Path) -> Iterator[Path]:
    """The target as a file system of its own with one MiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", target], check=True)
    try:
        yield target
    finally:
        subprocess.run(["umount", target], check=True)
