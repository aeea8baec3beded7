"""Builds what of the package is not Python: its C part and the web interface.

The C part needs a compiler; without one all of it is Python. The library needs neither Python's
headers nor those of others. It is made in the source tree, where an editable installation finds it,
too, and makes the wheel one for this platform.

The web interface needs Node.js, unless it is built already; a wheel without it serves the API
alone. An editable installation does not wait for it: `appshield up` builds it.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

NATIVE = "shared/appshield/repository/native"
FLAGS = ["-std=gnu11", "-O3", "-Wall", "-Wextra", "-shared", "-fPIC"]
WEB = "services/appshield/gateway/web"
WEBSITE_BUILDING = "deploy/appshield/local/website_building.py"


class PackageBuild(BuildHookInterface[Any]):
    """Compiles the C part to `native.so` and bundles the web interface, if it can."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and take what was built into the wheel; tell why if something is missing."""
        self._build_library(build_data)
        if version == "standard":
            self._build_website(build_data)

    def _build_library(self, build_data: dict[str, Any]) -> None:
        library = Path(self.root, NATIVE, "native.so")
        library.unlink(missing_ok=True)
        failure = _compile(sorted(Path(self.root, NATIVE).glob("*.c")), library)
        if failure:
            self.app.display_warning(f"without its C part, slower backups and restores: {failure}")
            return
        build_data["artifacts"].append(f"/{NATIVE}/{library.name}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(platform_tags())}"

    def _build_website(self, build_data: dict[str, Any]) -> None:
        web = Path(self.root, WEB)
        if failure := _bundle(Path(self.root, WEBSITE_BUILDING), web):
            self.app.display_warning(f"without the web interface: {failure}")
            return
        build_data["force_include"][str(web / "dist")] = "appshield/gateway/web/dist"


def _compile(sources: Sequence[Path], library: Path) -> str:
    """Compile; return why that was not possible, empty if it was."""
    compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or "gcc"]
    unfinished = library.with_suffix(f".{os.getpid()}")
    try:
        subprocess.run(
            [*compiler, *FLAGS, "-o", unfinished, *sources, "-ldl"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        unfinished.replace(library)
    except OSError as error:
        return f"{compiler[0]}: {error.strerror}"
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip()
    return ""


def _bundle(building: Path, web: Path) -> str:
    """Build the web interface; return why that was not possible, empty if it was."""
    done = subprocess.run(
        [sys.executable, building, web], check=False, capture_output=True, text=True
    )
    return done.stderr.strip() if done.returncode else ""
