"""Builds the C part of the package where there is a compiler; without one all of it is Python.

The library needs neither Python's headers nor those of others. It is made in the source tree, where
an editable installation finds it, too, and makes the wheel one for this platform.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

NATIVE = "shared/appshield/repository/native"
FLAGS = ["-std=gnu11", "-O3", "-Wall", "-Wextra", "-shared", "-fPIC"]


class NativeBuild(BuildHookInterface[Any]):
    """Compiles `restoring.c` to `restoring.so`, if it can."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build, and take the library into the wheel; tell why if there is none."""
        library = Path(self.root, NATIVE, "restoring.so")
        library.unlink(missing_ok=True)
        failure = _compile(Path(self.root, NATIVE, "restoring.c"), library)
        if failure:
            self.app.display_warning(f"without its C part, slower restores: {failure}")
            return
        build_data["artifacts"].append(f"/{NATIVE}/{library.name}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(platform_tags())}"


def _compile(source: Path, library: Path) -> str:
    """Compile; return why that was not possible, empty if it was."""
    compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or "gcc"]
    unfinished = library.with_suffix(f".{os.getpid()}")
    try:
        subprocess.run(
            [*compiler, *FLAGS, "-o", unfinished, source, "-ldl"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        unfinished.replace(library)
    except OSError as error:
        return f"{compiler[0]}: {error.strerror}"
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip()
    return ""
