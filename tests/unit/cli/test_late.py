"""Modules that are loaded when they are first used: whole, once, and the same for everybody."""

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import sys
print("loading", __name__)
from . import part
VALUE = 7
"""


def said_by(folder: Path, program: str) -> list[str]:
    """Run a program beside a package `heavy` and return what it prints."""
    package = folder / "heavy"
    package.mkdir()
    (package / "__init__.py").write_text(MODULE)
    (package / "part.py").write_text("print('loading', __name__)\nVALUE = 8\n")
    first = f"import sys; sys.path.insert(0, {str(folder)!r}); "
    first += "from appshield.cli.late import load_late\n"
    said = subprocess.run(
        [sys.executable, "-c", first + program], capture_output=True, text=True, check=True
    )
    return said.stdout.splitlines()


def test_a_module_that_nobody_uses_is_not_loaded(tmp_path: Path) -> None:
    """An import of it alone is no use."""
    program = "load_late('heavy')\nimport heavy\nfrom importlib.util import find_spec\n"
    program += "print(find_spec('heavy').name)"
    assert said_by(tmp_path, program) == ["heavy"]


@pytest.mark.parametrize(
    "use",
    ["print(heavy.VALUE)", "from heavy import VALUE; print(VALUE)"],
)
def test_the_first_use_loads_it_and_tells_so(tmp_path: Path, use: str) -> None:
    """Once, whoever comes first; what is set then is seen by all who imported it before."""
    program = "load_late('heavy')\nload_late('heavy', loaded=lambda: print('loaded'))\n"
    program += f"import heavy as before, heavy\n{use}\nimport heavy\n"
    program += "print(heavy.VALUE, before.VALUE, before.part is heavy.part)"
    loading = ["loading heavy", "loading heavy.part", "loaded"]
    assert said_by(tmp_path, program) == [*loading, "7", "7 7 True"]


def test_a_part_of_it_brings_the_whole(tmp_path: Path) -> None:
    """A package's own modules are only ever loaded after their package."""
    program = "load_late('heavy')\nimport heavy.part\nprint(heavy.part.VALUE, heavy.VALUE)"
    assert said_by(tmp_path, program) == ["loading heavy", "loading heavy.part", "8 7"]


def test_one_that_is_there_already_stays(tmp_path: Path) -> None:
    """What is to be done when it is loaded is done at once."""
    program = "import heavy\nload_late('heavy', loaded=lambda: print('loaded'))\nprint(heavy.VALUE)"
    assert said_by(tmp_path, program) == [
        "loading heavy",
        "loading heavy.part",
        "loaded",
        "7",
    ]
