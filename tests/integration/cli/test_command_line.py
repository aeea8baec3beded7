"""The command line against a real bus and a real planner; only the workers are scripted."""

import asyncio
import contextlib
import itertools
import json
import os
import re
from collections.abc import AsyncIterator

import pytest

from appshield.contracts import streams
from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Progress, Run
from appshield.contracts.subjects import live
from appshield.errors import DeniedError
from appshield.service.run_logs import log_line
from command_line import Backstage, CommandLine, backstage
from waiting import wait_until

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
BAR = re.compile(rb"take +\S+ +[\d.]+/1\.0 GB [\d.]+ [kM]B/s \d+:\d\d:\d\d")
"""How much of how much, how fast, and how long it will take."""


@pytest.fixture(scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backstage]:
    """A bus, a planner and workers; applications that the tests share without harm."""
    async with backstage(tmp_path_factory.mktemp("cli")) as found, found.planning():
        await found.observe("shop", "web")
        await found.observe("one", "twin")
        await found.observe("two", "twin")
        yield found


@pytest.fixture
def appshield(behind: Backstage) -> CommandLine:
    """The command line."""
    return behind.command_line


async def test_a_backup_that_is_waited_for_ends_with_a_version(appshield: CommandLine) -> None:
    """The result is on standard output, the progress beside it, the exit code says so."""
    said = await appshield("backup", "web", "--wait", "--reason", "before the change")
    assert said.code == 0, said.err
    assert said.out.startswith("version ")
    assert " of shop/web: " in said.out
    assert "consistency: crash-group" in said.out
    assert "take: done" in said.err
    assert "\x1b" not in said.out + said.err


async def test_the_report_is_of_applications_that_are_there(appshield: CommandLine) -> None:
    """By what makes a row; as text, as JSON of the same names as over REST, and as a sheet."""
    shown = await appshield("report", "--by", "application", "-n", "two")
    assert shown.code == 0, shown.err
    head, row = shown.out.splitlines()
    assert head.startswith("NAME ")
    assert row.split() == ["two/twin", "1", "0", "0", "0", "0"]
    told = json.loads((await appshield("report", "--days", "7", "-o", "json")).out)
    assert set(told) == {"from", "to", "by", "items", "days"}
    assert len({day["day"] for day in told["days"]}) == 8
    sheet = await appshield("report", "--by", "application", "-o", "csv")
    assert sheet.out.startswith("name,applications,")
    assert "\none/twin,1,0,," in sheet.out
    refused = await appshield("report", "--days", "0")
    assert refused.code == 2
    assert refused.err == "error: there is no report over 0 days. Say --days 1 to 366.\n"


async def test_a_backup_that_is_not_waited_for_names_its_run(appshield: CommandLine) -> None:
    """A script gets the run's id alone and can follow it later."""
    asked = await appshield("backup", "shop/web")
    assert asked.code == 0
    run = asked.out.strip()
    followed = await appshield("run", run, "--wait")
    assert followed.code == 0
    assert followed.out.startswith("version ")


async def test_a_backup_that_fails_says_what_why_and_what_next(
    behind: Backstage, appshield: CommandLine
) -> None:
    """One line on standard error, exit code 7, no trace."""
    refused = DeniedError("the hook failed", why="exit code 3", next_step="Correct the hook.")
    behind.stage.failures[TakeSnapshot] = [refused]
    said = await appshield("backup", "web", "-n", "shop", "--wait")
    assert said.code == 7
    assert said.out == ""
    last = said.err.splitlines()[-1]
    assert last.startswith("error: backup b-")
    assert "failed: the hook failed: exit code 3. Correct the hook." in last
    assert "Traceback" not in said.err


async def test_a_run_can_be_cancelled_while_another_command_waits_for_it(
    behind: Backstage, appshield: CommandLine
) -> None:
    """Who waits is told that it was cancelled, with exit code 7."""
    behind.stage.going.clear()
    try:
        waiting = await appshield.start("backup", "web", "--wait")
        run = await _running(behind, "take")
        cancelled = await appshield("cancel", run)
        assert cancelled.code == 0
        said = await appshield.ended(waiting)
    finally:
        behind.stage.going.set()
    assert said.code == 7
    assert "was cancelled: cancelled: asked by" in said.err
    again = await appshield("cancel", run)
    assert (again.code, again.err) == (
        4,
        f"error: run {run} cannot be cancelled: it is cancelled already\n",
    )


async def test_interrupting_the_wait_leaves_the_run_going(
    behind: Backstage, appshield: CommandLine
) -> None:
    """Ctrl-C ends with 130 and says how to follow the run; the version comes all the same."""
    behind.stage.going.clear()
    try:
        waiting = await appshield.start("backup", "web", "--wait")
        run = await _running(behind, "take")
        await _heard(waiting, "take: running")
        said = await appshield.interrupted(waiting)
    finally:
        behind.stage.going.set()
    assert said.code == 130
    assert f"the run goes on. `appshield run {run} --wait` follows it" in said.err
    assert "Traceback" not in said.err
    assert (await appshield("run", run, "--wait")).code == 0


async def test_a_backup_that_was_folded_is_followed_where_it_went(
    behind: Backstage, appshield: CommandLine
) -> None:
    """Three wishes at once make two versions; each command ends with one."""
    behind.stage.going.clear()
    try:
        first = await appshield.start("backup", "web", "--wait")
        await _running(behind, "take")
        second = await appshield.start("backup", "web", "--wait", "-o", "json")
        await _heard(second, "pending")
        third = await appshield.start("backup", "web", "--wait", "-o", "json")
        await _heard(third, "folded")
    finally:
        behind.stage.going.set()
    said = [await appshield.ended(one) for one in (first, second, third)]
    assert [one.code for one in said] == [0, 0, 0]
    assert said[1].json()["id"] == said[2].json()["id"]


async def test_a_terminal_shows_bars_with_bytes_rate_and_time_left(
    behind: Backstage, appshield: CommandLine
) -> None:
    """They are for the person: the result on standard output stays plain."""
    ours, theirs = os.openpty()
    appshield.environment["TERM"] = "xterm"
    appshield.environment["COLUMNS"] = "120"
    behind.stage.going.clear()
    shown = bytearray()
    try:
        process = await appshield.start("backup", "web", "--wait", terminal=theirs)
        os.close(theirs)
        reading = asyncio.create_task(asyncio.to_thread(_read_all, ours, shown))
        await wait_until(lambda: b"take: running" in shown, deadline_s=30, what="the step shown")
        run = await _running(behind, "take")
        app = AppRef(cluster="test", namespace="shop", name="web")

        done = itertools.count(10**6, 10**5)

        async def barred() -> bool:
            told = Progress(
                app=app, run=run, step="take", worker="w", bytes_done=next(done), bytes_total=10**9
            )
            await behind.bus.tell(live("progress", app), told)
            return BAR.search(ESCAPES.sub(b"", bytes(shown))) is not None

        await wait_until(barred, deadline_s=30, what="a bar")
    finally:
        behind.stage.going.set()
    said = await appshield.ended(process)
    await reading
    assert said.code == 0
    assert said.out.startswith("version ")
    assert "\x1b" not in said.out


async def test_an_ambiguous_name_lists_the_candidates(appshield: CommandLine) -> None:
    """It is never guessed which namespace was meant."""
    said = await appshield("backup", "twin")
    assert said.code == 2
    assert "one/twin, two/twin" in said.err
    assert (await appshield("backup", "twin", "-n", "two", "--wait")).code == 0


async def test_an_unknown_name_suggests_one_that_is_close(appshield: CommandLine) -> None:
    """Nothing is asked of the planner; exit code 3."""
    said = await appshield("backup", "wbe", "--wait")
    assert said.code == 3
    assert said.err == (
        "error: application wbe is unknown. Did you mean shop/web? "
        "`appshield apps --all` lists every application with versions.\n"
    )


async def test_a_restore_is_planned_and_then_done(appshield: CommandLine) -> None:
    """A dry run lists what would be created; the real one says what came back."""
    assert (await appshield("backup", "web", "--wait")).code == 0
    number = str((await appshield("versions", "web", "-o", "json")).json()[-1]["facts"]["number"])
    dry = await appshield("restore", "web", number, "--to", "elsewhere", "--dry-run")
    assert dry.code == 0
    assert dry.out.splitlines() == [
        f"version {number} would create in elsewhere:",
        "  ConfigMap shop/settings",
        "  Deployment shop/web",
        "note: the volume is read live",
    ]
    done = await appshield("restore", "web", number, "--wait")
    assert done.code == 0
    assert done.out.startswith(f"version {number} of shop/web runs in namespace shop: 2 objects")


async def test_an_unknown_version_names_those_there_are(appshield: CommandLine) -> None:
    """Nothing is asked of the planner; exit code 3."""
    assert (await appshield("backup", "web", "--wait")).code == 0
    said = await appshield("restore", "web", "999", "--wait")
    assert said.code == 3
    assert "application shop/web has no version 999: it has " in said.err
    assert "`appshield versions shop/web` lists them." in said.err


async def test_versions_outlive_their_object_and_histories_are_told_apart(
    behind: Backstage, appshield: CommandLine
) -> None:
    """A gone application is listed and restored; two histories of a name must be chosen from."""
    old = await behind.observe("gone", "old", uid="first")
    assert (await appshield("backup", "old", "--wait")).code == 0
    await behind.observe("gone", "old", uid="first", exists=False)
    assert "gone/old" not in (await appshield("apps")).out
    listed = (await appshield("apps", "--all", "-o", "json")).json()
    assert [one["state"] for one in listed if one["app_id"] == old] == ["orphaned"]
    refused = await appshield("backup", "old")
    assert refused.code == 4
    assert "its Application object is gone" in refused.err
    assert (await appshield("restore", "old", "1", "--wait")).code == 0

    new = await behind.observe("gone", "old", uid="second")
    assert (await appshield("backup", "old", "--wait")).code == 0
    listed = (await appshield("versions", "old", "-o", "json")).json()
    assert [one["facts"]["app_id"] for one in listed] == [new, old]
    ambiguous = await appshield("restore", "old", "1", "--wait")
    assert ambiguous.code == 2
    assert old in ambiguous.err
    assert new in ambiguous.err
    chosen = await appshield("restore", "old", "1", "--history", old, "--wait", "-o", "json")
    assert chosen.json()["app_id"] == old


async def test_reading_commands_give_the_contracts_records_as_json(
    appshield: CommandLine,
) -> None:
    """What a script reads is what is on the bus."""
    assert (await appshield("backup", "web", "--wait")).code == 0
    runs = (await appshield("runs", "shop/web", "-o", "json")).json()
    assert runs[0]["trigger"]["actor"]
    run = (await appshield("run", runs[0]["id"], "-o", "json")).json()
    assert [step["name"] for step in run["steps"]][:2] == ["open", "take"]
    versions = (await appshield("versions", "web", "-o", "json")).json()
    number = versions[-1]["facts"]["number"]
    version = (await appshield("version", "web", str(number), "-o", "json")).json()
    assert version == versions[-1]
    status = (await appshield("status", "web", "-o", "json")).json()
    assert status["application"]["app"]["namespace"] == "shop"
    assert status["newest_version"]["facts"]["number"] == number
    events = (await appshield("events", "shop/web", "--last", "3", "-o", "json")).out
    told = [json.loads(line) for line in events.splitlines()]
    assert len(told) == 3
    assert told[-1]["message"]["type"].startswith("appshield.v1.")


async def test_reading_commands_show_plain_lines_in_a_pipe(appshield: CommandLine) -> None:
    """Headings, columns, no colours, nothing cut off."""
    assert (await appshield("backup", "web", "--wait")).code == 0
    for command in ("apps", "runs", "events", "status web", "versions web", "version web 1"):
        said = await appshield(*command.split())
        assert (command, said.code, said.err) == (command, 0, "")
        assert "shop" in said.out or "VERSION" in said.out
        assert "\x1b" not in said.out


async def test_events_are_followed_until_interrupted(appshield: CommandLine) -> None:
    """What happens is shown as it happens; what happened before is not repeated."""
    following = await appshield.start("events", "web", "--last", "1", "--follow")
    assert following.stdout is not None
    async with asyncio.timeout(30):
        await following.stdout.readline()  # the one of the past: it follows now
        run = (await appshield("backup", "web", "--wait", "-o", "json")).json()["id"]
        seen = ""
        while f"backup {run} succeeded" not in seen:
            seen += (await following.stdout.readline()).decode()
    assert seen.count(f"backup {run} running") == 1
    said = await appshield.interrupted(following)
    assert (said.code, said.err) == (130, "")


async def test_what_services_log_about_a_run_is_found_by_its_id(
    behind: Backstage, appshield: CommandLine
) -> None:
    """Lines of all services in one place; an id may be shortened."""
    run = (await appshield("backup", "web", "--wait", "-o", "json")).json()["id"]
    line = {"run": run, "app": "shop/web", "level": "info", "event": "snapshot cut", "ms": 12}
    message = log_line(line, service="snapshotter", cluster="test")
    assert message
    assert message.app == AppRef(cluster="test", namespace="shop", name="web")
    await behind.bus.tell(message.subject(), message)

    async def shown() -> bool:
        said = await appshield("logs", run[:12])
        return "snapshotter" in said.out and "snapshot cut ms=12" in said.out

    await wait_until(shown, deadline_s=20, what="the line of the snapshotter shown")


async def test_dead_letters_are_listed_and_replayed(
    behind: Backstage, appshield: CommandLine
) -> None:
    """What no handler understands is seen, and sent again as a new message."""
    subject = "appshield.v1.cmd.backup.request.test.shop.web"
    await behind.bus.publish_raw(subject, b'{"type":"unheard of"}', message_id="garbage")

    async def parked() -> list[dict[str, object]]:
        found: list[dict[str, object]] = (await appshield("dead", "list", "-o", "json")).json()
        return found

    letters = await wait_until(parked, deadline_s=30, what="the message parked")
    assert letters[0]["subject"] == subject
    number = str(letters[0]["sequence"])
    replayed = await appshield("dead", "replay", number)
    assert replayed.code == 0, replayed.err
    assert f"{number} replayed into APPSHIELD_REQUESTS" in replayed.out
    missing = await appshield("dead", "replay", "999")
    assert (missing.code, "there is no dead letter 999" in missing.err) == (3, True)


async def test_a_catalog_run_asks_for_a_vault(behind: Backstage, appshield: CommandLine) -> None:
    """It is asked like everything else; without a worker it goes on by itself."""
    said = await appshield("rebuild-catalog", "other", "-o", "json")
    assert said.code == 0
    run = said.json()["run"]

    async def running() -> bool:
        entry = await behind.bus.bucket(streams.RUNS, Run).get(run)
        return entry is not None and entry.value.vault == "other"

    await wait_until(running, deadline_s=20, what="the run of the catalog")


async def _running(behind: Backstage, step: str) -> str:
    """Wait for a run that is in this step; return its id."""

    async def look() -> str:
        async for entry in behind.bus.bucket(streams.RUNS, Run).items():
            if any(one.name == step and one.state == "running" for one in entry.value.steps):
                return entry.value.id
        return ""

    return await wait_until(look, deadline_s=30, what=f"a run in step {step}")


def _read_all(terminal: int, shown: bytearray) -> None:
    """Read a terminal until nobody writes to it any more."""
    with contextlib.suppress(OSError):  # how a terminal says that
        while chunk := os.read(terminal, 4096):
            shown.extend(chunk)
    os.close(terminal)


async def _heard(process: object, text: str) -> None:
    """Read standard error of a command until it holds a text."""
    stream = getattr(process, "stderr")  # noqa: B009 - a process with pipes
    async for line in stream:
        if text in line.decode():
            return
    raise AssertionError(f"the command ended without {text!r}")
