"""deploy/Dockerfile, built for real; its base image is made from Debian's Python, not pulled.

The base image has the name that the Dockerfile asks for, and what pip and uv of this machine are
told about the package index. Everything after that is the Dockerfile's own work.
"""

import asyncio
import importlib
import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from appshield.bus import Bus
from appshield.local.cluster.building import ensure_packages
from appshield.local.demo.debian import TOOL, unpack_packages
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import free_port
from appshield.local.programs import SERVICES
from service_process import readiness
from waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = "deploy/Dockerfile"
BUILD_DEADLINE_S = 600
BASE_PACKAGES = ("python3-venv", "ca-certificates", "libstdc++6", "gcc", "libc6-dev", "libzstd1")
NETWORK_OF_THIS_MACHINE = (
    Path("/etc/pip.conf"),
    Path("/etc/uv/uv.toml"),
    Path("/etc/ssl/certs/ca-certificates.crt"),
)


def base_name() -> tuple[str, str]:
    """Return repository and tag of the image from which the Dockerfile starts."""
    first = next(line for line in (ROOT / DOCKERFILE).read_text().splitlines() if "FROM" in line)
    repository, _, tag = first.split()[1].partition(":")
    return repository, tag


def python_of_debian(folder: Path) -> bytes:
    """Return a file system with Python and nothing else, as a tar archive."""
    rootfs = folder / "rootfs"

    async def unpack() -> None:
        await ensure_packages({TOOL: TOOL}, print)
        await unpack_packages(BASE_PACKAGES, rootfs)

    asyncio.run(unpack())
    (rootfs / "usr/bin/python").symlink_to("python3")
    for file in NETWORK_OF_THIS_MACHINE:
        if file.exists():
            (rootfs / file.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, rootfs / file.relative_to("/"))
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(rootfs, arcname=".")
    return content.getvalue()


@pytest.fixture(scope="module")
def image(engine: Any, website_source: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of the image of all services."""
    repository, tag = base_name()
    content = python_of_debian(tmp_path_factory.mktemp("base"))
    engine.api.import_image_from_data(content, repository=repository, tag=tag)
    unwanted = (ROOT / f"{DOCKERFILE}.dockerignore").read_text().split()
    archive: Any = importlib.import_module("docker.utils").tar
    with archive(str(ROOT), exclude=unwanted, dockerfile=(DOCKERFILE, None), gzip=False) as context:
        built, _ = engine.images.build(
            fileobj=context,
            custom_context=True,
            dockerfile=DOCKERFILE,
            network_mode="host",
            rm=True,
        )
    return str(built.id)


def hardened(service: str) -> dict[str, Any]:
    """Say how compose.yaml confines a service."""
    says = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][service]
    confined = {
        "read_only": says["read_only"],
        "tmpfs": dict.fromkeys(says["tmpfs"], ""),
        "security_opt": says["security_opt"],
    }
    return {**confined, "network_mode": "host", "command": says["command"]}


@pytest.mark.timeout(BUILD_DEADLINE_S)
def test_every_service_is_in_the_image_and_not_root(engine: Any, image: str) -> None:
    """Each says what it is not told; restores have their C part; the user owns nothing."""
    failed = importlib.import_module("docker.errors").ContainerError
    for service in SERVICES:
        command = ["python", "-m", f"appshield.{service}"]
        with pytest.raises(failed, match=f"APPSHIELD_{service.upper()}_NATS_URL is missing"):
            engine.containers.run(image, command, remove=True, network_mode="none")
    native = "from appshield.repository.native import native_code; print(native_code() is not None)"
    said = engine.containers.run(image, ["python", "-c", native], remove=True, network_mode="none")
    assert said.strip() == b"True"
    who = engine.containers.run(image, ["id", "-u"], remove=True, network_mode="none")
    assert who.strip() == b"65534"


@pytest.mark.timeout(BUILD_DEADLINE_S)
async def test_the_planner_of_the_image_joins_a_bus_and_stops_when_asked(
    engine: Any, image: str, embedded_bus: EmbeddedBus, bus: Bus, tmp_path: Path
) -> None:
    """Confined as in compose.yaml it becomes ready, and ends with 0 on the stop of the engine."""
    access, port = embedded_bus.access("planner"), free_port()
    seed = tmp_path / "planner.nk"
    shutil.copy(access.seed_file, seed)
    seed.chmod(0o444)
    settings = {"NATS_URL": access.url, "NATS_SEED_FILE": "/run/secrets/planner"}
    settings |= {"CLUSTER": "container", "HEALTH_PORT": str(port)}
    running = await asyncio.to_thread(
        engine.containers.run,
        image,
        detach=True,
        environment={f"APPSHIELD_PLANNER_{name}": value for name, value in settings.items()},
        volumes={str(seed): {"bind": "/run/secrets/planner", "mode": "ro"}},
        **hardened("planner"),
    )
    try:

        async def ready() -> bool:
            return await readiness(port) == {}

        await wait_until(ready, deadline_s=60, what="the planner in its container ready")
    finally:
        await asyncio.to_thread(running.stop, timeout=30)
        ended = await asyncio.to_thread(running.wait)
        said = (await asyncio.to_thread(running.logs)).decode()
        await asyncio.to_thread(running.remove)
    assert ended["StatusCode"] == 0, said
    assert "Traceback" not in said
