"""The real restic, for tests: Debian's, and v0.18.0 built once from the Go module proxy.

A test takes the fixture `restic` (v0.18.0), `debian_restic`, or `any_restic` to run on both. Import
the fixtures into a conftest.py. The build lands in `$APPSHIELD_CACHE/bin`, by default
`~/.cache/appshield/bin`, and takes about two minutes the first time; give such tests
`pytest.mark.timeout(BUILD_TIMEOUT_S)`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from go_programs import BUILD_TIMEOUT_S, built_program, cache_folder, refuse_install

VERSION = "0.18.0"

__all__ = ["BUILD_TIMEOUT_S", "VERSION", "Restic", "built_restic", "cache_folder", "debian_package"]


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


def built_restic() -> Path:
    """Return restic v0.18.0, built now if it is not there."""
    return built_program(
        "restic", module="github.com/restic/restic", version=VERSION, package="./cmd/restic"
    )


def debian_package() -> Path:
    """Return Debian's restic, installed now if it is not there."""
    program = shutil.which("restic")
    if program is None:
        refuse_install("the Debian package restic has to be installed")
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
