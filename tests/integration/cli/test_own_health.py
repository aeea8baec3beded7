"""`appshield health` against a real bus: what is alive, and what is missing."""

from datetime import UTC, datetime
from pathlib import Path

from appshield.contracts.agents import Agent, ServiceName
from appshield.contracts.streams import AGENTS
from command_line import CommandLine, backstage

SERVICES: tuple[ServiceName, ...] = ("watcher", "planner", "snapshotter", "uploader", "restorer")


async def test_it_says_which_services_are_alive_and_which_are_missing(tmp_path: Path) -> None:
    """As `GET /health` does; a part that is missing is exit code 5, with what to do."""
    async with backstage(tmp_path) as behind:
        agents = behind.bus.bucket(AGENTS, Agent)
        appshield = CommandLine(behind.home.folder)
        for service in SERVICES[:-1]:
            seen = Agent(service=service, cluster="test", worker="w-1", seen_at=datetime.now(UTC))
            await agents.put(f"{service}.test.w-1", seen)
        said = await appshield("health", "--output", "json")
        assert said.code == 5
        assert "no restorer is alive" in said.err
        assert "appshield up" in said.err
        assert [one["service"] for one in said.json()["services"]] == sorted(SERVICES[:-1])
        seen = Agent(service="restorer", cluster="test", worker="w-1", seen_at=datetime.now(UTC))
        await agents.put("restorer.test.w-1", seen)
        said = await appshield("health")
        assert (said.code, said.out.splitlines()[-1]) == (0, "all is well")
        assert "restorer" in said.out
