"""Places to restore into."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


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
