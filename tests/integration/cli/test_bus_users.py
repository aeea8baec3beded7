"""`appshield bus-user`: tools and teams get a user of their own on the message bus."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.bus import connect_bus
from appshield.contracts import streams
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from appshield.local.connection import Connection, write_connection
from appshield.local.home import Home
from command_line import CLUSTER, Backstage, CommandLine, backstage
from waiting import wait_until

ROUNDS = 10
COME_AND_GO = f"""
import sys
from appshield.cli.__main__ import main
for _ in range({ROUNDS}):
    for words in (["add", "guest", "-n", "shop"], ["remove", "guest"]):
        if code := main(["bus-user", *words]):
            sys.exit(code)
"""
APP = AppRef(cluster=CLUSTER, namespace="shop", name="web")


@pytest.fixture(scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backstage]:
    """A bus, a planner and workers."""
    async with backstage(tmp_path_factory.mktemp("users")) as found, found.planning():
        await found.observe("shop", "web")
        await found.observe("bank", "ledger")
        yield found


@pytest.fixture
def appshield(behind: Backstage) -> CommandLine:
    """The command line."""
    return behind.command_line


async def test_a_user_that_was_added_asks_until_it_is_removed(
    behind: Backstage, appshield: CommandLine
) -> None:
    """What it may is shown; what it may not ends as a run that says which right is missing."""
    added = await appshield("bus-user", "add", "ci", "-n", "shop", "--role", "restorer")
    assert added.code == 0, added.err
    assert added.out.startswith("user ci: restorer in shop; its key is ")
    assert f"appshield.v1.cmd.restore.request.{CLUSTER}.shop.*.bus.ci" in added.out
    assert "forget" not in added.out
    listed = await appshield("bus-user", "list", "-o", "json")
    expected = {"name": "ci", "role": "restorer", "cluster": CLUSTER, "namespaces": ["shop"]}
    assert listed.json() == [{**expected, "signals": []}]
    access = behind.server.access("ci")
    async with connect_bus(access, name="ci") as bus:
        await bus.publish(RequestBackup(app=APP, request_id="ci-1", actor="ci", door="bus"))
        assert (await _ended(behind, "backup", "ci-1")).state == "succeeded"
        away = RequestRestore(
            app=APP, request_id="ci-2", actor="ci", door="bus", version=1, target_namespace="bank"
        )
        await bus.publish(away)
        assert "create restores in namespace bank" in str(
            (await _ended(behind, "restore", "ci-2")).failure
        )
    removed = await appshield("bus-user", "remove", "ci")
    assert (removed.code, removed.out) == (0, "user ci removed\n")
    assert not (behind.server.users_folder / "ci.nk").exists()
    assert (await appshield("bus-user", "list")).err == "nobody was added\n"


async def test_users_come_and_go_again_and_again(behind: Backstage) -> None:
    """Each command ends as it should, though the server puts out whom it has just let in.

    They are run in one process: to begin one takes longer than what is looked at here.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COME_AND_GO),
        env={**behind.command_line.environment, "PYTHONWARNINGS": "always::ResourceWarning"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said = await behind.command_line.ended(process)
    assert (said.code, said.err) == (0, ""), said.err
    assert said.out.count("user guest removed\n") == ROUNDS


async def test_what_is_wrong_is_said_in_one_error(appshield: CommandLine) -> None:
    """The thing, the cause, the next step."""
    nowhere = await appshield("bus-user", "add", "ci")
    assert (nowhere.code, "user ci has no namespace" in nowhere.err) == (2, True)
    service = await appshield("bus-user", "add", "planner", "-n", "shop")
    assert (service.code, "planner is a user of AppShield itself" in service.err) == (2, True)
    wide = await appshield("bus-user", "add", "ci", "-n", "*")
    assert (wide.code, "'*' is no namespace" in wide.err) == (2, True)
    unknown = await appshield("bus-user", "remove", "nobody")
    assert (unknown.code, "has no user nobody that was added" in unknown.err) == (3, True)
    person = await appshield("bus-user", "remove", "person")
    assert (person.code, "has no user person that was added" in person.err) == (3, True)


async def test_a_bus_of_somebody_else_says_itself_which_users_it_has(tmp_path: Path) -> None:
    """AppShield does not write into the configuration of a server that it does not run."""
    home = Home(folder=tmp_path, cache=tmp_path)
    told = Connection(
        nats_url="nats://elsewhere:4222",
        users_folder=str(tmp_path / "users"),
        kubeconfig="",
        context="",
        cluster=CLUSTER,
    )
    write_connection(home, told)
    said = await CommandLine(tmp_path)("bus-user", "add", "ci", "-n", "shop")
    assert said.code == 4
    assert "the message bus at nats://elsewhere:4222 is not this installation's" in said.err


async def _ended(behind: Backstage, kind: str, request_id: str) -> Run:
    bucket = behind.bus.bucket(streams.RUNS, Run)
    wanted = run_id("backup" if kind == "backup" else "restore", f"request/{request_id}")

    async def look() -> Run | None:
        entry = await bucket.get(wanted)
        return entry.value if entry and entry.value.finished_at else None

    return await wait_until(look, deadline_s=30, what=f"the {kind} {request_id} ended")
