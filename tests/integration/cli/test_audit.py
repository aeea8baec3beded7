"""`appshield audit` over a real bus and a real planner: who did what, by nobody's good will."""

import hashlib
import json
from collections.abc import AsyncIterator

import pytest

from appshield.audit import GENESIS
from appshield.bus import connect_bus
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestPause
from appshield.contracts.streams import AUDIT
from appshield.contracts.subjects import AUDITED
from appshield.local.vaults import key_file
from command_line import CLUSTER, Backstage, CommandLine, backstage
from waiting import wait_until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backstage]:
    """A bus, a planner and workers, and some things that were done."""
    async with backstage(tmp_path_factory.mktemp("cli")) as found, found.planning():
        await found.observe("shop", "web")
        said = await found.command_line("backup", "web", "--wait", "--reason", "before the move")
        assert said.code == 0, said.err
        said = await found.command_line("restore", "web", "9")
        assert said.code != 0
        yield found


@pytest.fixture
def appshield(behind: Backstage) -> CommandLine:
    """The command line."""
    return behind.command_line


async def test_what_the_command_line_asked_for_is_on_record(
    behind: Backstage, appshield: CommandLine
) -> None:
    """Who, what, on what, by which door, and how it ended."""

    async def has_ended() -> bool:
        said = await appshield("audit", "list", "--outcome", "succeeded")
        return "backup shop/web version 1" in said.out

    await wait_until(has_ended, deadline_s=60, what="the end of the backup on record")
    said = await appshield("audit", "list", "--app", "shop/web", "-o", "json")
    entries = [json.loads(line) for line in said.out.splitlines()]
    wish = next(one["event"] for one in entries if one["event"]["action"] == "backup")
    assert (wish["outcome"], wish["door"], wish["cause"]) == (
        "admitted",
        "local",
        "before the move",
    )
    assert "@" in wish["actor"]
    assert wish["run"].startswith("b-")


async def test_another_tool_is_on_record_without_its_help(
    behind: Backstage, appshield: CommandLine
) -> None:
    """A plain message on the bus; what is about nothing is refused, and on record, too."""
    app = AppRef(cluster=CLUSTER, namespace="shop", name="web")
    async with connect_bus(behind.server.access("person"), name="a tool") as bus:
        await bus.publish(RequestPause(app=app, request_id="tool-1", actor="tool-7"))

    async def is_told() -> bool:
        said = await appshield("audit", "list", "--actor", "TOOL-7", "--action", "pause")
        return "admitted" in said.out

    await wait_until(is_told, deadline_s=60, what="the pause on record")
    nothing = await appshield("audit", "list", "--actor", "nobody")
    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing of that is on record" in nothing.err


async def test_whoever_reads_a_vault_at_a_terminal_is_on_record(
    behind: Backstage, appshield: CommandLine
) -> None:
    """Before anything is read, so also where that comes to nothing: here is no cluster."""
    file = key_file(behind.home, "primary")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a root key")
    assert (await appshield("vault", "export-key", "primary")).out == "a root key\n"
    for command in (("ls", "web", "1"), ("find", "web", "*.conf"), ("versions", "web", "--size")):
        assert (await appshield(*command)).code != 0

    async def objects() -> list[str]:
        said = await appshield("audit", "list", "--action", "read-data", "-o", "json")
        events = [json.loads(line)["event"] for line in said.out.splitlines()]
        assert "a root key" not in said.out
        return sorted(one["object"] for one in events)

    async def all_told() -> bool:
        return await objects() == ["names", "names", "root key", "sizes"]

    await wait_until(all_told, deadline_s=60, what="what was read on record")


async def test_an_export_is_the_chain_itself(appshield: CommandLine) -> None:
    """Each line names the SHA-256 of the line before it; any tool can see that."""
    said = await appshield("audit", "export")
    lines = said.out.splitlines()
    assert len(lines) >= 2
    previous = GENESIS
    for line in lines:
        assert json.loads(line)["previous"] == previous
        previous = hashlib.sha256(line.encode()).hexdigest()
    assert (await appshield("audit", "export", "--since", "1h")).out.splitlines()[:1] == lines[:1]
    wrong = await appshield("audit", "export", "--since", "yesterday")
    assert (wrong.code, "no moment" in wrong.err) == (2, True)


async def test_verifying_says_whole_until_somebody_has_changed_something(
    behind: Backstage, appshield: CommandLine
) -> None:
    """Exit code 8 then, and which entry; here somebody did who has the planner's key."""
    said = await appshield("audit", "verify", "--no-vaults")
    assert said.code == 0, said.err
    assert "whole" in said.out
    report = json.loads((await appshield("audit", "verify", "--no-vaults", "-o", "json")).out)
    assert report["findings"] == []
    newest = await behind.bus.newest(AUDIT, AUDITED)
    assert newest is not None
    async with connect_bus(behind.server.access("planner"), name="a thief") as thief:
        await thief.append(AUDITED, b'{"forged": true}', after_sequence=newest.sequence)
    said = await appshield("audit", "verify", "--no-vaults")
    assert said.code == 8
    assert "cannot be read" in said.out
    assert said.err.startswith("error: the audit is not as it was written")
