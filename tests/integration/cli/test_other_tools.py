"""Whatever speaks NATS can ask as the command line does: ten lines of Python, or the `nats` CLI."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.contracts import streams
from appshield.contracts.identities import run_id
from appshield.contracts.runs import Run
from command_line import Backstage, backstage
from waiting import wait_until

SCRIPT = Path(__file__).parents[2] / "other_tools" / "request_backup.py"
SUBJECT = "appshield.v1.cmd.backup.request.test.shop.web"


@pytest.fixture(scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backstage]:
    """An installation with one application."""
    async with backstage(tmp_path_factory.mktemp("other")) as found, found.planning():
        await found.observe("shop", "web")
        yield found


async def test_ten_lines_of_python_ask_for_a_backup(behind: Backstage) -> None:
    """Without any of our code; as the user `person`, who may ask and nothing else."""
    assert "appshield" not in "".join(
        line for line in SCRIPT.read_text().splitlines() if "import" in line
    )
    person = behind.server.access("person")
    said = await _run(
        *(sys.executable, str(SCRIPT), person.url, person.seed_file, "test", "shop", "web")
    )
    assert (await _ended(behind, said.strip())).state == "succeeded"


async def test_the_nats_command_line_asks_for_a_backup(behind: Backstage, nats_cli: Path) -> None:
    """Asked twice with the same identity it is asked once."""
    person = behind.server.access("person")
    identity = str(uuid.uuid4())
    request = {
        "type": "appshield.v1.request_backup",
        "app": {"cluster": "test", "namespace": "shop", "name": "web"},
        "request_id": identity,
    }
    before = await _runs(behind)
    for _ in range(2):
        said = await _run(
            *(str(nats_cli), "--no-context", "--server", person.url, "--nkey", person.seed_file),
            *("--inbox-prefix", person.inbox_prefix, "pub", "--jetstream", "--no-templates"),
            *("--header", f"Nats-Msg-Id:backup.request.{identity}", SUBJECT, json.dumps(request)),
        )
        assert "Stored" in said
    assert (await _ended(behind, identity)).state == "succeeded"
    assert await _runs(behind) == before + 1


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def _ended(behind: Backstage, request_id: str) -> Run:
    bucket = behind.bus.bucket(streams.RUNS, Run)

    async def look() -> Run | None:
        entry = await bucket.get(run_id("backup", f"request/{request_id}"))
        done = entry is not None and entry.value.finished_at is not None
        return entry.value if entry is not None and done else None

    return await wait_until(look, deadline_s=30, what="the run of the request ended")


async def _runs(behind: Backstage) -> int:
    return len(await behind.bus.bucket(streams.RUNS, Run).keys())
