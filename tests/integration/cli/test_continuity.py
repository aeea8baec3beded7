"""The demo asks for backups and restores as everybody does, and waits for their end."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appshield.bus import Bus, connect_bus
from appshield.cli import continuity
from appshield.cli.continuity import BusContinuity
from appshield.cli.progress import Silent
from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.identities import application_id
from appshield.errors import DeadlineError, DeniedError, NotFoundError, RunFailedError
from command_line import CLUSTER, Backstage, backstage


class OneObject:
    """A cluster that knows one Application, by its uid."""

    def __init__(self, uid: str) -> None:
        self.uid = uid

    async def get(self, _kind: object, _name: str, _namespace: str) -> dict[str, Any] | None:
        return {"metadata": {"uid": self.uid}} if self.uid else None


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Backstage]:
    """An installation with one application."""
    async with backstage(tmp_path) as found, found.planning():
        await found.observe("shop", "shop", uid="first")
        yield found


@pytest.fixture
async def person(behind: Backstage) -> AsyncIterator[Bus]:
    """The bus as a person sees it."""
    async with connect_bus(behind.server.access("person"), name="demo") as bus:
        yield bus


def asking(bus: Bus, uid: str) -> BusContinuity:
    cluster: Any = OneObject(uid)
    return BusContinuity(bus, cluster, cluster_name=CLUSTER, shown=Silent())


async def test_a_version_is_returned_and_its_own_history_restored(
    behind: Backstage, person: Bus
) -> None:
    """Of two histories of the name, the one that was saved here comes back."""
    first = asking(person, "first")
    facts = await first.back_up("shop", "shop")
    assert (facts.number, facts.app_id) == (1, application_id(CLUSTER, "first"))
    await behind.observe("shop", "shop", uid="second")
    second = asking(person, "second")
    assert (await second.back_up("shop", "shop")).app_id == application_id(CLUSTER, "second")
    await first.restore("shop", "shop", 1)
    runs = behind.stage.done
    assert (runs["ApplyObjects"], runs["FinishRestore"]) == (1, 1)


async def test_a_run_that_fails_is_an_error(behind: Backstage, person: Bus) -> None:
    """The demo stops there."""
    behind.stage.failures[TakeSnapshot] = [DeniedError("the hook failed")]
    with pytest.raises(RunFailedError, match="the hook failed"):
        await asking(person, "first").back_up("shop", "shop")
    with pytest.raises(RunFailedError, match="has no version 9"):
        await asking(person, "first").restore("shop", "shop", 9)


async def test_an_application_that_is_never_taken_up_is_waited_for_in_vain(
    person: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a bound, and the error says where to look."""
    monkeypatch.setattr(continuity, "KNOWN_WITHIN_S", 0.3)
    with pytest.raises(DeadlineError, match="was not taken up"):
        await asking(person, "unknown").back_up("shop", "shop")
    with pytest.raises(NotFoundError, match="no Application"):
        await asking(person, "").back_up("shop", "shop")
