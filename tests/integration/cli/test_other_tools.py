"""What the README shows works, to the letter: other tools ask as the command line does."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.contracts import streams
from appshield.contracts.identities import run_id
from appshield.contracts.runs import Run
from command_line import CLUSTER, Backstage, backstage
from waiting import wait_until

README = (Path(__file__).parents[3] / "README.md").read_text()
RUN = run_id("backup", "request/deploy-4711")


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Backstage]:
    """An installation with the application and the user of the README."""
    async with backstage(tmp_path) as found, found.planning():
        await found.observe("shop", "shop")
        command = next(line for line in shown("bash", "bus-user").splitlines() if " add " in line)
        added = await found.command_line(*command.partition("#")[0].split()[1:])
        assert added.code == 0, added.err
        yield found


async def test_ten_lines_of_python_ask_for_a_backup(behind: Backstage, tmp_path: Path) -> None:
    """Without any of our code; as a user of its own, who may ask there and nothing else."""
    script = tmp_path / "ask.py"
    script.write_text(shown("python", "asyncio.run"))
    assert "appshield" not in "".join(re.findall("^import.*", script.read_text()))
    user = behind.server.access("deploy")
    await run([sys.executable, str(script), user.url, user.seed_file, CLUSTER])
    await made_one_version(behind)


async def test_the_nats_command_line_asks_for_a_backup(
    behind: Backstage, nats_cli: Path, tmp_path: Path
) -> None:
    """Asked twice with the same identity it is asked once."""
    user = behind.server.access("deploy")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nats").symlink_to(nats_cli)
    told = {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "NATS_URL": user.url,
        "CLUSTER": CLUSTER,
    }
    keys = Path(user.seed_file).parent
    for _ in range(2):
        await run(["bash", "-ec", shown("bash", "nats --server")], keys, **told)
    await made_one_version(behind)


def shown(language: str, with_text: str) -> str:
    """Return the README's snippet in this language that holds a text."""
    snippets = re.findall(f"```{language}\n(.*?)```", README, re.DOTALL)
    [found] = [snippet for snippet in snippets if with_text in snippet]
    return str(found)


async def run(command: list[str], folder: Path | None = None, **told: str) -> None:
    """Run a program that knows nothing but what it is told."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **told},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()


async def made_one_version(behind: Backstage) -> None:
    """Wait for the end of the README's run; it is the only one."""
    bucket = behind.bus.bucket(streams.RUNS, Run)

    async def ended() -> Run | None:
        entry = await bucket.get(RUN)
        done = entry is not None and entry.value.finished_at is not None
        return entry.value if entry is not None and done else None

    found = await wait_until(ended, deadline_s=30, what="the run of the request ended")
    assert found.state == "succeeded"
    assert await bucket.keys() == [RUN]
