"""compose.yaml is read by the library with which `docker compose config` reads it."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from appshield.local.cluster.compiling import find_go
from appshield.local.programs import SERVICES
from restic_binary import BUILD_TIMEOUT_S, cache_folder

ROOT = Path(__file__).resolve().parents[3]
SOURCES = Path(__file__).parent / "compose"
VERSION = "2.6.0"


def _loader(scratch: Path) -> Path:
    """Build the loader once; it is a few lines over compose-go."""
    program = cache_folder() / "bin" / f"compose-config-{VERSION}"
    if program.exists():
        return program
    built = scratch / "compose-config"
    sources = shutil.copytree(SOURCES, scratch / "sources")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    command = [str(asyncio.run(find_go())), "build", "-o", str(built), "."]
    subprocess.run(command, cwd=sources, env=environment, check=True, capture_output=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(built, program.with_suffix(".new"))
    program.with_suffix(".new").rename(program)
    return program


@pytest.mark.timeout(BUILD_TIMEOUT_S)
def test_compose_accepts_the_file_and_it_names_every_service(tmp_path: Path) -> None:
    """The bus, the store and all services, on loopback, with the store's safe options."""
    loader = _loader(tmp_path)
    environment = {**os.environ, "APPSHIELD_COMPOSE": str(tmp_path)}
    command = [loader, ROOT / "compose.yaml"]
    loaded = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    services = yaml.safe_load(loaded.stdout)["services"]
    assert {"nats", "store", *SERVICES} - {"gateway"} <= set(services)
    assert "-master.telemetry=false" in services["store"]["command"]
    published = [p for one in services.values() for p in one.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert all(":" in one["image"] for one in services.values())
