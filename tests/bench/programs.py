"""The three programs, each with the settings that it is measured with.

    appshield   tests/bench/byte_path.py with this interpreter; it keeps no cache
    restic      v0.18.0 with its defaults: verify-after-encode, zstd, its cache on the local disk
    kopia       v0.21.1, zstd on, its cache on the local disk; no maintenance and no look for
                updates within a backup

Each has a home of its own, with its cache below. `forget` removes that: the cold rows.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from bench.targets import Target
from go_programs import built_program
from restic_binary import VERSION as RESTIC_VERSION
from restic_binary import built_restic

KOPIA_VERSION: Final = "0.21.1"
PASSWORD: Final = "a password for measuring"
CHECKOUT: Final = Path(__file__).parents[2]
ROOTS: Final = ("contracts", "shared", "services", "deploy")

Command = tuple[Sequence[str | Path], Mapping[str, str]]
"""What to run, and its whole environment."""


class Program(Protocol):
    """One way to back up a folder."""

    name: str
    version: str

    def prepare(self, target: Target, repository: str) -> None:
        """Make a repository; not measured."""
        ...

    def backup(self, target: Target, repository: str, source: Path) -> Command:
        """Say how to back up."""
        ...

    def restore(self, target: Target, repository: str, source: Path, into: Path) -> Command:
        """Say how to restore the last version of `source` into an empty folder."""
        ...

    def forget(self, repository: str) -> None:
        """Remove the cache, as on a machine that has never seen the repository."""
        ...


class AppShield:
    """The byte path of this project."""

    def __init__(self, homes: Path) -> None:
        self.name = "appshield"
        self.version = commit()
        self._home = homes / self.name

    def prepare(self, target: Target, repository: str) -> None:
        """See Program."""
        _run(self._command(target, repository, "init"))

    def backup(self, target: Target, repository: str, source: Path) -> Command:
        """See Program."""
        return self._command(target, repository, "backup", source)

    def restore(self, target: Target, repository: str, source: Path, into: Path) -> Command:
        """See Program."""
        return self._command(target, repository, "restore", into)

    def forget(self, repository: str) -> None:
        """See Program: there is no cache."""

    def other(self, target: Target, repository: str, *arguments: str) -> Command:
        """Say how to run another of its commands, such as `check`."""
        return self._command(target, repository, *arguments)

    def _command(self, target: Target, repository: str, *arguments: str | Path) -> Command:
        self._home.mkdir(parents=True, exist_ok=True)
        place: str | Path | None = target.folder(repository)
        secrets = {"REPOSITORY_PASSWORD": PASSWORD, "PYTHONPATH": _own_code()}
        if bucket := target.bucket(repository):
            location, _ = bucket
            place = f"s3:{location.endpoint}/{location.bucket}/{location.prefix}"
            secrets |= _keys(target, repository)
        assert place is not None
        program = Path(__file__).parent / "byte_path.py"
        verb, *rest = arguments
        command = [sys.executable, program, verb, place, *rest]
        return command, {**_plain(self._home), **secrets}


class Restic:
    """Restic as it is."""

    def __init__(self, homes: Path) -> None:
        self.name = "restic"
        self.version = RESTIC_VERSION
        self._homes = homes / self.name
        self._program = built_restic()

    def prepare(self, target: Target, repository: str) -> None:
        """See Program."""
        _run(self._command(target, repository, "init"))

    def backup(self, target: Target, repository: str, source: Path) -> Command:
        """See Program."""
        return self._command(target, repository, "backup", "--quiet", source)

    def restore(self, target: Target, repository: str, source: Path, into: Path) -> Command:
        """See Program."""
        version = f"latest:{source}"
        return self._command(target, repository, "restore", "--quiet", version, "--target", into)

    def forget(self, repository: str) -> None:
        """See Program."""
        shutil.rmtree(self._home(repository) / "cache", ignore_errors=True)

    def _command(self, target: Target, repository: str, *arguments: str | Path) -> Command:
        place: str | Path | None = target.folder(repository)
        secrets = {"RESTIC_PASSWORD": PASSWORD}
        if bucket := target.bucket(repository):
            location, _ = bucket
            place = f"s3:{location.endpoint}/{location.bucket}/{location.prefix}"
            secrets |= _keys(target, repository)
        assert place is not None
        cache = self._home(repository) / "cache"
        command = [self._program, "--repo", place, "--cache-dir", cache, *arguments]
        return command, {**_plain(self._home(repository)), **secrets}

    def _home(self, repository: str) -> Path:
        home = self._homes / repository
        home.mkdir(parents=True, exist_ok=True)
        return home


class Kopia:
    """Kopia with compression."""

    def __init__(self, homes: Path) -> None:
        self.name = "kopia"
        self.version = KOPIA_VERSION
        self._homes = homes / self.name
        self._program = built_program(
            "kopia", module="github.com/kopia/kopia", version=KOPIA_VERSION, package="."
        )

    def prepare(self, target: Target, repository: str) -> None:
        """See Program."""
        cache = self._home(repository) / "cache"
        if bucket := target.bucket(repository):
            location, credentials = bucket
            place: list[str | Path] = [
                "s3", "--endpoint", location.endpoint.removeprefix("http://"), "--disable-tls",
                "--bucket", location.bucket, "--prefix", f"{location.prefix}/",
                "--access-key", credentials.access_key,
                "--secret-access-key", credentials.secret_key,
            ]  # fmt: skip
        else:
            folder = target.folder(repository)
            assert folder is not None
            folder.mkdir(parents=True)
            place = ["filesystem", "--path", folder]
        _run(self._command(repository, "repository", "create", *place, "--cache-directory", cache))
        _run(self._command(repository, "policy", "set", "--global", "--compression", "zstd"))

    def backup(self, target: Target, repository: str, source: Path) -> Command:
        """See Program."""
        return self._command(repository, "snapshot", "create", *_QUIETLY, source)

    def restore(self, target: Target, repository: str, source: Path, into: Path) -> Command:
        """See Program."""
        listed = _run(self._command(repository, "snapshot", "list", "--json", source))
        (*_, last) = msgspec.json.decode(listed, type=list[_KopiaSnapshot])
        return self._command(repository, "restore", *_QUIETLY, last.id, into)

    def forget(self, repository: str) -> None:
        """See Program."""
        shutil.rmtree(self._home(repository) / "cache", ignore_errors=True)

    def _command(self, repository: str, *arguments: str | Path) -> Command:
        home = self._home(repository)
        own = (f"--config-file={home / 'repository.config'}", f"--log-dir={home / 'logs'}")
        settings = {"KOPIA_PASSWORD": PASSWORD, "KOPIA_CHECK_FOR_UPDATES": "false"}
        command = [self._program, *own, "--no-use-keyring", *arguments]
        return command, {**_plain(home), **settings}

    def _home(self, repository: str) -> Path:
        home = self._homes / repository
        home.mkdir(parents=True, exist_ok=True)
        return home


_QUIETLY: Final = ("--no-progress", "--no-auto-maintenance")


class _KopiaSnapshot(msgspec.Struct):
    id: str


def all_programs(homes: Path) -> list[Program]:
    """Return the three, built where they are not there yet."""
    return [AppShield(homes), Restic(homes), Kopia(homes)]


def _keys(target: Target, repository: str) -> dict[str, str]:
    bucket = target.bucket(repository)
    assert bucket is not None
    _, credentials = bucket
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
    }


def _plain(home: Path) -> dict[str, str]:
    """Return an environment without settings of the person who measures."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8"}


def _own_code() -> str:
    """Return where the product's code beside this benchmark is, whatever is installed."""
    return ":".join(str(CHECKOUT / root) for root in ROOTS)


def _run(command: Command) -> bytes:
    words, environment = command
    ended = subprocess.run(words, env=dict(environment), capture_output=True, check=False)
    assert ended.returncode == 0, f"{words}: {ended.stdout!r} {ended.stderr!r}"
    return ended.stdout


def commit() -> str:
    """Return what is measured: the commit, and whether the product's files differ from it."""
    told = ["git", "describe", "--always", "--abbrev=10"]
    commit = subprocess.run(told, cwd=CHECKOUT, capture_output=True, check=True, text=True).stdout
    differs = ["git", "status", "--porcelain", "--", *ROOTS]
    changes = subprocess.run(differs, cwd=CHECKOUT, capture_output=True, check=True).stdout
    return commit.strip() + (" with changes" if changes else "")
