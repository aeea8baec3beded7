"""`appshield`: run one command; every error becomes one line and an exit code."""

import errno
import os
import sys
import traceback
from asyncio import CancelledError
from collections.abc import Sequence
from datetime import UTC, datetime

from appshield.cli.exits import INTERRUPTED, OK, UNEXPECTED
from appshield.cli.importing import load_less
from appshield.errors import AppShieldError, UnavailableError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (default: of the process) say; return the exit code."""
    load_less()
    given = [
        "/dev/stdin" if argument == "-" else argument  # the parser would take it for an option
        for argument in (sys.argv[1:] if arguments is None else arguments)
    ]
    try:
        return _run(given)
    except AppShieldError as error:
        return _fail(str(error), error.exit_code)
    except BaseExceptionGroup as group:
        return _fail_of_many(group)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (KeyboardInterrupt, CancelledError):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last boundary: no trace for users
        return _no_room(error) if _is_no_room(error) else _unexpected(error)


def _run(arguments: list[str]) -> int:
    from cyclopts import CycloptsError

    from appshield.cli.commands import command_line

    try:
        code = command_line()(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        text = " ".join(str(error).split()).rstrip("., ")
        text += "" if text.endswith("?") else "."
        return _fail(f"{text} `appshield {_command(arguments)}--help` shows what is possible.", 2)
    sys.stdout.flush()
    return code if isinstance(code, int) else OK


def _command(arguments: Sequence[str]) -> str:
    """Give the words before the first option, for the hint, where they are commands."""
    from appshield.cli.commands import command_line

    known, words = command_line(), ""
    for argument in arguments:
        if argument.startswith("-") or argument not in known:
            break
        known, words = known[argument], f"{words}{argument} "
    return words


def _fail_of_many(group: BaseExceptionGroup[BaseException]) -> int:
    from appshield.service.together import first_of

    known, unknown = group.split(AppShieldError)
    if unknown is not None or known is None:
        return _unexpected(group)
    first = first_of(known)
    return _fail(str(first), first.exit_code)


def _is_no_room(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def _no_room(error: Exception) -> int:
    place = getattr(error, "filename", None) or "the disk, or what the output goes to,"
    told = UnavailableError(f"{place} is full", next_step="Make room there and try again.")
    return _fail(str(told), told.exit_code)


def _fail(text: str, code: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"error: {text}\n")
    return code


def _unexpected(error: BaseException) -> int:
    """Say it in one line and keep the trace in a file; show it when debugging."""
    trace = "".join(traceback.format_exception(error))
    if os.environ.get("APPSHIELD_DEBUG"):
        sys.stderr.write(trace)
    what = f"something unexpected happened: {type(error).__name__}: {error}"
    return _fail(f"{what}. {_kept(trace)}", UNEXPECTED)


def _kept(trace: str) -> str:
    from appshield.local.home import Home

    file = Home.from_environment(os.environ).logs / "command-line.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        with file.open("a") as opened:
            opened.write(f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv[:2])}\n{trace}\n")
    except OSError:
        return "APPSHIELD_DEBUG=1 shows the details."
    return f"The details are in {file}."


if __name__ == "__main__":
    sys.exit(main())
