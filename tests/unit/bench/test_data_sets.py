"""Data sets are the same everywhere, change by one in a hundred, and are put back."""

from pathlib import Path

import pytest

from bench.data_sets import DATA_SETS, DataSet, changed, changes, digest, ensure_made, make

MIXED = DATA_SETS["mixed"].scaled(0.0005)
SMALL = DATA_SETS["small"].scaled(0.001)


@pytest.mark.parametrize(
    ("data_set", "known"),
    [
        (MIXED, "e4cc2a5d066f0d9f7bdb33cb4fbf8a441f40aff43f5cf5c86ece55279d3640d4"),
        (SMALL, "cbd6ac5e2eed4450f3dab3d781eee11ee802815b940ef8c0166043e4b3972fc9"),
    ],
    ids=["mixed", "small"],
)
def test_a_data_set_is_the_same_on_every_machine(
    data_set: DataSet, known: str, tmp_path: Path
) -> None:
    """Results of two machines are of the same bytes."""
    assert make(tmp_path / "made", data_set) == known


def test_the_sets_have_the_sizes_that_are_asked_for() -> None:
    """2 GiB in 200 files, 100,000 files of 4 KiB, one file of 4 GiB."""
    mixed, small, single = (DATA_SETS[name] for name in ("mixed", "small", "single"))
    assert (mixed.files, mixed.size_bytes // 2**20) == (200, 2047)
    assert (small.files, small.file_bytes) == (100_000, 4096)
    assert (single.files, single.size_bytes) == (1, 4 << 30)


def test_no_folder_is_large_unless_that_is_the_point() -> None:
    """Small files are nested, 100 to a folder."""
    small = DATA_SETS["small"]
    paths = {small.path(number) for number in range(1000)}
    assert len(paths) == 1000
    assert len({path.parent for path in paths}) == 10
    assert len({DATA_SETS["lone"].path(number).parent for number in (0, 299_999)}) == 1


def test_a_change_is_one_in_a_hundred() -> None:
    """Of all bytes where files are large, of all files where they are small."""
    mixed, small = DATA_SETS["mixed"], DATA_SETS["small"]
    assert sum(size for _, _, size in changes(mixed)) == pytest.approx(mixed.size_bytes / 100, 0.01)
    assert len(list(changes(small))) == small.files / 100


@pytest.mark.parametrize("data_set", [MIXED, SMALL], ids=["mixed", "small"])
def test_what_was_changed_is_put_back(data_set: DataSet, tmp_path: Path) -> None:
    """Each round begins with the same bytes, also after a round that failed."""
    original = make(tmp_path / "made", data_set)

    def interrupted() -> None:
        with changed(tmp_path / "made", data_set):
            assert digest(tmp_path / "made") != original
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert digest(tmp_path / "made") == original


def test_a_damaged_data_set_is_made_again(tmp_path: Path) -> None:
    """A run that was killed while it had changed the files does not spoil the next one."""
    folder = ensure_made(tmp_path, SMALL)
    right = digest(folder)
    (folder / SMALL.path(3)).write_bytes(b"wrong")
    assert digest(ensure_made(tmp_path, SMALL)) == right
