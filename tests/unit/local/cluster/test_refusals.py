"""Who may not run a local cluster is told so in one sentence."""

import os
from pathlib import Path

import pytest

from appshield.errors import DeniedError, UnavailableError
from appshield.local.cluster import (
    ClusterSettings,
    cluster_down,
    cluster_status,
    cluster_up,
    lifecycle,
)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path: a home must leave room for the names of sockets."""
    return tmp_path_factory.mktemp("c")


def empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def test_without_root_up_and_down_refuse_and_touch_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says why, and what to do instead."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    settings = ClusterSettings(home=folder / "cluster" / "a", cache=folder)
    for refused in (cluster_up(settings, print), cluster_down(settings, print)):
        with pytest.raises(DeniedError, match=r"needs root.*KUBECONFIG"):
            await refused
    assert empty(folder)


async def test_a_full_disk_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback: the machine's own words, and where to look."""

    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(lifecycle, "ensure_parts", full)
    settings = ClusterSettings(home=folder / "cluster" / "a", cache=folder)
    with pytest.raises(UnavailableError, match=r"No space left on device.*disk has room"):
        await cluster_up(settings, print)


def test_status_of_a_cluster_that_never_was_is_no_error(folder: Path) -> None:
    """Nothing runs, and nothing is made by looking."""
    status = cluster_status(ClusterSettings(home=folder / "a", cache=folder))
    assert (status.running, status.ready, status.components) == (False, False, ())
    assert status.kubeconfig is None
    assert empty(folder)
