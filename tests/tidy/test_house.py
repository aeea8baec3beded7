"""The house is kept in order: its top level, its layers, its sizes, its generated files."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("contracts", "shared", "services", "deploy")
TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "services",
    "shared",
    "contracts",
    "deploy",
    "tests",
    "compose.yaml",
    "LICENSE",
    "CHANGELOG.md",
    ".ci",
    ".gitignore",
    ".python-version",
}
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def tracked(*patterns: str) -> list[Path]:
    """List the files that are part of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


SOURCES = [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] in SOURCE_ROOTS]


def test_the_top_level_holds_what_the_customer_named_and_nothing_else() -> None:
    """Beside it only what tools need there."""
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} == TOP_LEVEL


def test_layers_hold() -> None:
    """Arrows point one way, services are strangers, the repository knows no bus."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Modules can be put in an order in which each knows those before it only."""
    graph = grimp.build_graph("appshield", cache_dir=None)
    known = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert tuple(TopologicalSorter(known).static_order())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_held_in_mind(path: Path) -> None:
    """Files and functions stay within a size, and every module says what it is for."""
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= FILE_LINES_MAX
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= FUNCTION_LINES_MAX]
    assert long == []
    assert ast.get_docstring(tree) or not text.strip()


def test_what_a_check_is_told_to_overlook_says_why() -> None:
    """Behind each `noqa` and `type: ignore`, on its own line, with the code of what it is."""
    overlooked = re.compile(r"# (noqa|type: ignore)")
    reasoned = re.compile(r"(noqa: [A-Z0-9, ]+?|type: ignore\[[a-z, -]+\])(  | - | # |  # )\S.*\w")
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked("*.py")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if overlooked.search(line) and not reasoned.search(line)
    ]
    assert lines == []


def test_no_folder_of_the_namespace_claims_it() -> None:
    """`appshield` is one namespace over four roots: none of them may hold an __init__.py."""
    assert [p for p in SOURCES if p.parent.name == "appshield" and p.name == "__init__.py"] == []


def test_every_package_ships_its_types() -> None:
    """Who installs the wheel sees the types of every package."""
    packages = {path.parent for path in SOURCES if path.name == "__init__.py"}
    tops = {p for p in packages if p.parent.name == "appshield"}
    assert [str(p) for p in tops if not (p / "py.typed").exists()] == []


def test_no_file_names_where_a_package_was_downloaded() -> None:
    """Resolution is pinned by ranges and a date, never by addresses."""
    address = re.compile(r"https?://\S+\.(whl|tar\.gz|tgz|deb)\b|\"resolved\":\s*\"http")
    named = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in {".toml", ".txt", ".json", ".lock", ".cfg", ".yaml", ".md"}
        and address.search(path.read_text(errors="replace"))
    ]
    assert named == []


def test_the_requirements_of_images_are_those_of_the_project(tmp_path: Path) -> None:
    """`poe requirements` writes them; a changed dependency is seen here."""
    written = tmp_path / "requirements.txt"
    plain = ["--no-dev", "--no-emit-project", "--no-header", "--no-annotate", "-q"]
    subprocess.run(["uv", "export", *plain, "-o", written], cwd=ROOT, check=True)
    assert written.read_text() == (ROOT / "deploy/requirements.txt").read_text()
