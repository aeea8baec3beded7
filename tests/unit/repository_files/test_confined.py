"""A node agent opens what it derived itself, and nothing that a link leads to."""

import os
from pathlib import Path

import pytest

from appshield.errors import InvalidInputError, NotFoundError, RefusedError
from appshield.repository.files import open_directory_inside
from file_trees import open_descriptors


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pods" / "uid" / "volumes").mkdir(parents=True)
    return tmp_path / "pods"


def test_a_directory_below_the_root_is_opened(root: Path) -> None:
    """The descriptor is that of the directory itself."""
    descriptor = open_directory_inside(root, "uid/volumes")

    assert os.fstat(descriptor).st_ino == (root / "uid" / "volumes").stat().st_ino
    os.close(descriptor)


def test_the_root_may_be_reached_through_a_link(root: Path) -> None:
    """An administrator may have moved the kubelet's folder."""
    (root.parent / "kubelet").symlink_to(root)

    os.close(open_directory_inside(root.parent / "kubelet", "uid"))


@pytest.mark.parametrize("relative", ["", "/etc", "../x", "uid/../..", "uid//volumes", ".", "a\0"])
def test_a_path_that_could_leave_the_root_is_refused(root: Path, relative: str) -> None:
    """It is refused by its form, before anything is opened."""
    with pytest.raises(InvalidInputError):
        open_directory_inside(root, relative)


@pytest.mark.parametrize("relative", ["uid/link", "uid/link/sub"])
def test_no_component_may_be_a_link(root: Path, relative: str) -> None:
    """Not the last one, and not one on the way; descriptors are not leaked."""
    (root / "elsewhere" / "sub").mkdir(parents=True)
    (root / "uid" / "link").symlink_to(root / "elsewhere")
    before = open_descriptors()

    with pytest.raises(RefusedError, match="uid/link is not opened"):
        open_directory_inside(root, relative)

    assert open_descriptors() == before


def test_a_file_is_no_directory(root: Path) -> None:
    """It is refused like a link."""
    (root / "uid" / "file").touch()

    with pytest.raises(RefusedError):
        open_directory_inside(root, "uid/file")


def test_what_is_missing_is_named(root: Path) -> None:
    """The first missing component, and the root itself."""
    with pytest.raises(NotFoundError, match="uid/gone does not exist"):
        open_directory_inside(root, "uid/gone/deeper")
    with pytest.raises(NotFoundError, match="nowhere"):
        open_directory_inside(root / "nowhere", "uid")
