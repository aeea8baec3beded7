"""`appshield vault add` at a terminal: it asks for the keys, and the secret one is not shown."""

import sys
from pathlib import Path

import pytest

from command_line import CommandLine
from terminal import Terminal

SECRET = "planted-hunter2-typed"
ADD = ("vault", "add", "other", "--endpoint", "http://127.0.0.1:1", "--bucket", "somewhere")


def adding(folder: Path, **environment: str) -> Terminal:
    """Start it with no cluster to be reached, so that it ends after the questions."""
    nowhere = str(folder / "no-kubeconfig")
    line = CommandLine(folder, KUBECONFIG=nowhere, **environment)
    return Terminal([sys.executable, "-m", "appshield.cli", *ADD], line.environment)


async def test_the_secret_key_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    """The access key is seen as it is typed, the secret key is not, nor in any file."""
    terminal = adding(tmp_path)
    await terminal.until("Access key: ")
    terminal.type("an-access-key\n")
    await terminal.until("Secret key: ")
    terminal.type(f"{SECRET}\n")
    assert await terminal.end() == 2
    assert "an-access-key" in terminal.seen
    assert SECRET not in terminal.seen
    assert "there is no kubeconfig" in terminal.seen
    assert files_with(SECRET, tmp_path) == []


def files_with(text: str, folder: Path) -> list[Path]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if text.encode() in file.read_bytes()]


async def test_only_what_the_environment_does_not_say_is_asked_for(tmp_path: Path) -> None:
    """One question when one key is missing."""
    terminal = adding(tmp_path, APPSHIELD_S3_ACCESS_KEY="an-access-key")
    await terminal.until("Secret key: ")
    terminal.type(f"{SECRET}\n")
    assert await terminal.end() == 2
    assert "Access key: " not in terminal.seen
    assert SECRET not in terminal.seen


@pytest.mark.parametrize("typed", ["\n", "   \n", "\x04"], ids=["nothing", "blanks", "the end"])
@pytest.mark.parametrize("question", ["Access key: ", "Secret key: "])
async def test_no_answer_is_one_error(tmp_path: Path, question: str, typed: str) -> None:
    """It says what was wanted and how else it can be given."""
    known = {"APPSHIELD_S3_ACCESS_KEY": "an-access-key"} if question.startswith("Secret") else {}
    terminal = adding(tmp_path, **known)
    await terminal.until(question)
    terminal.type(typed)
    assert await terminal.end() == 2
    assert "error: nothing was typed" in terminal.seen
    assert "APPSHIELD_S3_SECRET_KEY" in terminal.seen
    assert "Traceback" not in terminal.seen


async def test_ctrl_c_at_the_question_ends_it(tmp_path: Path) -> None:
    """With the exit code of an interruption and nothing made."""
    terminal = adding(tmp_path)
    await terminal.until("Access key: ")
    terminal.type("\x03")
    assert await terminal.end() == 130
    assert "Traceback" not in terminal.seen
