"""Flushing asks the system, and says so when it refuses."""

import os
from pathlib import Path

import pytest

from appshield.repository.files import flush_file_system


def test_a_file_system_is_flushed_through_any_descriptor_on_it(tmp_path: Path) -> None:
    """The root of a volume is enough."""
    (tmp_path / "file").write_bytes(b"content")
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flush_file_system(descriptor)
    finally:
        os.close(descriptor)


def test_a_refusal_is_an_error_with_the_systems_reason() -> None:
    """Nothing is believed flushed that was not."""
    with pytest.raises(OSError, match="Bad file descriptor"):
        flush_file_system(-1)
