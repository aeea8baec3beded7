"""The tree of commands: all there, all documented, none imported before it is run."""

import subprocess
import sys
from typing import Literal

import pytest

from appshield.cli import __main__ as entry
from appshield.cli.commands import command_line

COMMANDS = (
    "up", "cluster up", "cluster down", "cluster status", "demo", "apply", "validate", "apps",
    "status", "backup", "versions", "version", "restore", "runs", "run", "logs", "events",
    "cancel", "vault add", "vault check", "vault export-key", "vault password", "rebuild-catalog",
    "dead list", "dead replay", "ls", "find", "diff", "dump", "forget", "pin", "unpin",
    "vault prune", "vault stats", "vault repair", "profiles", "profile", "explain", "init", "web",
    "report",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of each works and names its usage."""
    assert entry.main([*command.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert f"appshield {command}" in said.splitlines()[0] + said.splitlines()[1]
    assert "Exit codes" not in said


def test_a_misspelt_option_is_one_line_that_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    """What was meant, and where to look."""
    assert entry.main(["up", "--seperate"]) == 2
    assert capsys.readouterr().err == (
        "error: Unknown option: --seperate. Did you mean --separate? "
        "`appshield up --help` shows what is possible.\n"
    )


def test_the_help_of_all_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """No command is hidden."""
    assert entry.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert [one for one in {name.split()[0] for name in COMMANDS} if f"│ {one} " not in said] == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["vault", "--help"]])
def test_help_starts_without_the_weight_of_the_commands(arguments: list[str]) -> None:
    """Neither bus nor cluster nor services are imported to say what there is."""
    heavy = ("nats", "aiohttp", "kubernetes_asyncio", "structlog", "appshield.bus")
    program = (
        "import sys; from appshield.cli.__main__ import main; main(sys.argv[1:]); "
        f"print([one for one in {heavy!r} if '__file__' in vars(sys.modules.get(one, object))])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[-1] == "[]"


def test_commands_that_ask_the_bus_start_without_the_cluster() -> None:
    """What most commands import has no part of Kubernetes in it."""
    program = (
        "import sys, appshield.cli.applications, appshield.cli.backups, appshield.cli.versions, "
        "appshield.cli.restores, appshield.cli.runs, appshield.cli.events; "
        "print([one for one in ('kubernetes_asyncio', 'appshield.kubernetes', 'yaml') "
        "if one in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_knows_the_commands(shell: Literal["bash", "zsh", "fish"]) -> None:
    """The script for each shell completes commands and options."""
    script = command_line().generate_completion(shell=shell)
    for word in ("rebuild-catalog", "export-key", "cancel-backup"):
        assert word in script
