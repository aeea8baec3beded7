"""`approve`, `cancel`, `pause` and `resume` against a real bus and a real planner."""

from collections.abc import AsyncIterator

import pytest

from command_line import Backstage, CommandLine, backstage


@pytest.fixture(scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backstage]:
    """A bus, a planner and workers, and one application with one version."""
    async with backstage(tmp_path_factory.mktemp("cli")) as found, found.planning():
        await found.observe("shop", "web")
        assert (await found.command_line("backup", "web", "--wait")).code == 0
        yield found


@pytest.fixture
def appshield(behind: Backstage) -> CommandLine:
    """The command line."""
    return behind.command_line


async def test_a_restore_waits_for_approval_and_names_who_gave_it(appshield: CommandLine) -> None:
    """Until then `run` and `status` say what is missing."""
    run = (await appshield("restore", "web", "1", "--needs-approval")).out.strip()
    shown = await appshield("run", run)
    assert f"nobody yet: `appshield approve {run}`" in shown.out
    assert run in (await appshield("status", "web")).out

    approved = await appshield("approve", run, "--wait")
    assert approved.code == 0, approved.err
    assert "version 1 of shop/web runs in namespace shop" in approved.out
    shown = await appshield("run", run)
    assert "approved by" in shown.out
    assert "worker" in shown.out  # who did each step


async def test_only_what_waits_for_approval_can_be_approved_of(appshield: CommandLine) -> None:
    """Exit code 4, and the state that the run is in."""
    run = (await appshield("restore", "web", "1", "--needs-approval")).out.strip()
    assert (await appshield("cancel", run, "--wait")).out == f"{run} cancelled\n"
    said = await appshield("approve", run)
    assert (said.code, said.err) == (
        4,
        f"error: run {run} does not wait for approval: it is cancelled\n",
    )


async def test_a_paused_application_says_so_and_obeys_all_the_same(appshield: CommandLine) -> None:
    """`status` says who paused it and why; a backup is made, and says that it is paused."""
    paused = await appshield("pause", "web", "--reason", "the move")
    assert (paused.code, paused.out) == (0, "shop/web is paused\n")
    status = await appshield("status", "web")
    assert "paused" in status.out
    assert "the move" in status.out
    assert "  paused  " in (await appshield("apps")).out
    assert "is paused already" in (await appshield("pause", "web")).err

    backup = await appshield("backup", "web", "--wait")
    assert backup.code == 0
    assert "shop/web is paused since" in backup.err

    resumed = await appshield("resume", "web")
    assert resumed.out == "shop/web is not paused any more\n"
    assert "is not paused" in (await appshield("resume", "web")).err
    told = await appshield("events", "web")
    assert "paused by" in told.out
    assert "not paused any more" in told.out


async def test_pausing_what_is_unknown_is_an_error(appshield: CommandLine) -> None:
    """Exit code 3, as everywhere."""
    said = await appshield("pause", "nothing")
    assert said.code == 3
    assert "application nothing is unknown" in said.err
