"""Exit codes are documented, and every error becomes one line."""

import errno
import re
from pathlib import Path

import pytest

from appshield import errors
from appshield.cli import __main__ as entry
from appshield.cli.exits import EXIT_CODES, exit_table
from appshield.contracts.runs import Failure
from appshield.errors import AppShieldError, DamagedError, UnavailableError


def kinds() -> list[type[AppShieldError]]:
    found = (getattr(errors, name) for name in dir(errors))
    return [one for one in found if isinstance(one, type) and issubclass(one, AppShieldError)]


def test_every_exit_code_is_in_the_table() -> None:
    """The table of `--help` knows every class of error."""
    documented = {code for code, _ in EXIT_CODES}
    assert {kind.exit_code for kind in kinds()} <= documented
    assert len(documented) == len(EXIT_CODES)
    assert all(f"{code:>5}  " in exit_table() for code in documented)


def test_the_table_is_shown_by_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`appshield --help` ends with it."""
    assert entry.main(["--help"]) == 0
    assert exit_table().splitlines()[3] in capsys.readouterr().out


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: list[str]) -> int:
        raise error

    monkeypatch.setattr(entry, "_run", run)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_on_purpose_is_one_line_and_its_code(
    kind: type[AppShieldError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What, why and the next step; no trace."""
    raising(kind("it is so", why="because", next_step="Do that."), monkeypatch)
    assert entry.main([]) == kind.exit_code
    assert capsys.readouterr().err == "error: it is so: because. Do that.\n"


def test_an_error_inside_a_group_comes_out_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What failed in one of several tasks is said like everything else."""
    nested = ExceptionGroup("tasks", [ExceptionGroup("more", [DamagedError("bytes differ")])])
    raising(nested, monkeypatch)
    assert entry.main([]) == DamagedError.exit_code
    assert capsys.readouterr().err == "error: bytes differ\n"


@pytest.mark.parametrize("error", [ValueError("odd"), ExceptionGroup("x", [ValueError("odd")])])
def test_the_unexpected_is_one_line_and_its_trace_is_kept(
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The trace is in a private file, and on the screen only when debugging."""
    monkeypatch.setenv("APPSHIELD_HOME", str(tmp_path))
    raising(error, monkeypatch)
    assert entry.main([]) == 1
    said = capsys.readouterr().err
    file = tmp_path / "logs" / "command-line.log"
    assert said.startswith(f"error: something unexpected happened: {type(error).__name__}")
    assert said.endswith(f"The details are in {file}.\n")
    assert said.count("\n") == 1
    assert "Traceback" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("APPSHIELD_DEBUG", "1")
    entry.main([])
    assert "Traceback" in capsys.readouterr().err


def test_where_the_trace_cannot_be_kept_it_is_said_how_to_see_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full or read-only disk hides no error."""
    monkeypatch.setenv("APPSHIELD_HOME", "/proc/nothing")
    raising(ValueError("odd"), monkeypatch)
    assert entry.main([]) == 1
    assert capsys.readouterr().err.endswith("APPSHIELD_DEBUG=1 shows the details.\n")


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells expect."""
    raising(KeyboardInterrupt(), monkeypatch)
    assert entry.main([]) == 130


def test_a_full_disk_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said in one line, with the file where that is known."""
    for places in ((), ("/home/ann/lock",)):
        raising(OSError(errno.ENOSPC, "No space left on device", *places), monkeypatch)
        assert entry.main([]) == UnavailableError.exit_code
        said = capsys.readouterr().err
        assert said.startswith(f"error: {''.join(places) or 'the disk'}")
        assert said.endswith(" full. Make room there and try again.\n")


def test_a_sentence_ends_once() -> None:
    """Also where it is another system's own words."""
    for told in (
        DamagedError("a", why="it says no.", next_step="Do that."),
        Failure(what="a", why="it says no.", next_step="Do that."),
    ):
        assert str(told) == "a: it says no. Do that."


def test_a_wrong_command_is_told_without_the_rest_of_a_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The parser's list of commands ends in a comma and three points where it is long."""
    assert entry.main(["bakup"]) == 2
    assert re.search(r"\w\. `appshield --help`", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["bakup"], "`appshield --help`"),
        (["backup"], "`appshield backup --help`"),
        (["vault", "chek"], "`appshield vault --help`"),
        (["restore", "web", "one"], "`appshield restore --help`"),
        (["apps", "-o", "yaml"], "`appshield apps --help`"),
        (["restore", "web", "1", "--tp", "x"], "`appshield restore --help`"),
    ],
)
def test_a_wrong_command_line_is_one_line_with_a_hint(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and where to read what is possible."""
    assert entry.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert hint in said
    assert said.count("\n") == 1


def test_a_lone_dash_is_standard_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parser never sees it."""
    seen: list[list[str]] = []

    def run(given: list[str]) -> int:
        seen.append(given)
        return 0

    monkeypatch.setattr(entry, "_run", run)
    entry.main(["apply", "-f", "-"])
    assert seen == [["apply", "-f", "/dev/stdin"]]
