"""What is missing is known before anything is done, and forbidding it is respected."""

from pathlib import Path

import pytest

from appshield.errors import NotFoundError, RefusedError
from appshield.local.cluster import building
from appshield.local.cluster.building import (
    build_key,
    ensure_packages,
    ensure_parts,
    missing_packages,
    system_program,
)
from appshield.local.cluster.compiling import go_is_new_enough


def test_only_packages_of_absent_programs_are_missing() -> None:
    """A name is looked for in the system's path, an absolute path where it is."""
    needed = {"sh": "dash", "no-such-program": "b", "/no/such/file": "a"}
    assert missing_packages(needed) == ["a", "b"]


async def test_nothing_missing_is_nothing_to_say() -> None:
    """The everyday case: no line, no command."""
    said: list[str] = []
    await ensure_packages({"sh": "dash"}, said.append)
    assert said == []


async def test_what_will_be_installed_and_built_is_said_in_a_line_each_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it can still press Ctrl-C."""
    happened: list[str] = []
    absent = {"no-such-program": "some-package"}

    async def installs(*command: str, **_: object) -> None:
        if "install" in command:
            happened.append("installs")
            absent.clear()

    async def compiles(_go: Path, _sources: Path, _folder: Path, _report: object) -> None:
        happened.append("compiles")

    async def go() -> Path:
        return Path("/usr/bin/go")

    monkeypatch.setattr(building, "PACKAGES", absent)
    monkeypatch.setattr(building, "run_command", installs)
    monkeypatch.setattr(building, "compile_programs", compiles)
    monkeypatch.setattr(building, "find_go", go)
    monkeypatch.setattr("os.sync", lambda: None)
    parts = await ensure_parts(tmp_path, {}, happened.append)
    assert [line.split(" (")[0].split(" with ")[0] for line in happened if "lists" not in line] == [
        "Installing Debian packages: some-package",
        "installs",
        f"Building {building.BUILT_FROM}",
        "compiles",
        f"Built into {parts.folder}",
    ]


async def test_forbidden_to_install_lists_everything_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refusal with all packages and the build, and what to do instead."""
    monkeypatch.setattr(building, "PACKAGES", {"no-such-program": "some-package"})
    with pytest.raises(RefusedError) as caught:
        await ensure_parts(tmp_path, {"APPSHIELD_NO_INSTALL": "1"}, print)
    text = str(caught.value)
    for words in ("Debian package some-package", "build of Kubernetes", "KUBECONFIG"):
        assert words in text


async def test_what_is_built_is_used_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A complete folder under the key of the sources is all that is looked for."""
    monkeypatch.setattr(building, "PACKAGES", {})
    key = build_key(Path(building.__file__).with_name("go"))
    (tmp_path / "cluster" / key).mkdir(parents=True)
    said: list[str] = []
    parts = await ensure_parts(tmp_path, {"APPSHIELD_NO_INSTALL": "1"}, said.append)
    assert parts.program("kubelet") == tmp_path / "cluster" / key / "bin" / "kubelet"
    assert said == []


def test_any_change_of_a_source_is_another_key(tmp_path: Path) -> None:
    """Contents and names count, times do not."""
    (tmp_path / "main.go").write_text("package main")
    first = build_key(tmp_path)
    (tmp_path / "main.go").touch()
    assert build_key(tmp_path) == first
    (tmp_path / "main.go").write_text("package main //")
    assert build_key(tmp_path) != first


def test_a_missing_program_is_named_with_its_package() -> None:
    """The next step can be typed as it stands."""
    with pytest.raises(NotFoundError, match="apt-get install no-such-program"):
        system_program("no-such-program")


@pytest.mark.parametrize(
    ("version", "enough"),
    [("go1.26.8\n", True), ("go1.24", True), ("go1.19.8", False), ("go2.0", True), ("", False)],
)
def test_an_old_go_is_passed_over(version: str, enough: bool) -> None:
    """Debian 12 has one that cannot build this."""
    assert go_is_new_enough(version) is enough
