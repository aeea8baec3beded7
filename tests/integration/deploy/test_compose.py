"""`docker compose config` accepts compose.yaml."""

import asyncio
import os
from pathlib import Path

import yaml

from appshield.local.programs import NODE_AGENTS, SERVICES

ROOT = Path(__file__).resolve().parents[3]
CONFIG_DEADLINE_S = 60.0


async def test_compose_accepts_the_file_and_it_names_every_service(
    docker_compose: Path, tmp_path: Path
) -> None:
    """The bus, the store and all services, on loopback, with the store's safe options."""
    process = await asyncio.create_subprocess_exec(
        *(docker_compose, "--file", ROOT / "compose.yaml", "--profile", "agents", "config"),
        env={**os.environ, "APPSHIELD_COMPOSE": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(CONFIG_DEADLINE_S):
        said, problems = await process.communicate()
    assert (process.returncode, problems.decode()) == (0, "")
    services = yaml.safe_load(said)["services"]
    assert {"nats", "store", *SERVICES, *NODE_AGENTS} == set(services)
    for name in NODE_AGENTS:  # they hold what is their own, and no Secret of the cluster
        held = {one["source"] for one in services[name]["secrets"]}
        assert held == {name, "kubeconfig-agent"}
    assert "-master.telemetry=false" in services["store"]["command"]
    published = [p for one in services.values() for p in one.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert all(":" in one["image"] for one in services.values())
