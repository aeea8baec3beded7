"""Packs that wait for the store lie in files."""

import io
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from appshield.repository import waiting_packs
from appshield.repository.waiting_packs import WaitingPacks


def open_files() -> list[str]:
    """Return where the descriptors of this process lead that packs wait in."""
    targets: list[str] = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of this look itself
            targets.append(str(link.readlink()))
    return [target for target in targets if "appshield-pack" in target]


def test_each_waits_until_it_is_let_go_of() -> None:
    packs = WaitingPacks()
    first, second = packs.keep(memoryview(b"the first")), packs.keep(memoryview(b"the second"))
    assert (bytes(first), bytes(second)) == (b"the first", b"the second")
    packs.let_go(first)
    third = packs.keep(memoryview(b"3rd"))
    assert (bytes(second), bytes(third)) == (b"the second", b"3rd")
    assert len(open_files()) == 2, "a file that was let go of is used again"
    packs.close()
    assert open_files() == []


def test_a_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else finds it, and nothing of it stays when the process is killed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    packs = WaitingPacks()
    packs.keep(memoryview(b"sealed"))
    assert [name for name in open_files() if name.startswith(str(tmp_path))]
    assert list(tmp_path.iterdir()) == []
    packs.close()


def test_without_a_place_for_files_they_wait_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    packs = WaitingPacks()
    assert bytes(packs.keep(memoryview(b"sealed"))) == b"sealed"
    packs.close()


def test_on_a_full_disk_they_wait_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_packs, "_file_on_disk", lambda: io.FileIO("/dev/full", "r+"))
    packs = WaitingPacks()
    first, second = packs.keep(memoryview(b"first")), packs.keep(memoryview(b"second"))
    assert (bytes(first), bytes(second)) == (b"first", b"second")
    packs.close()
