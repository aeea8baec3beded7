"""Shell wrappers that make an exec's streams trustworthy. Pure.

Two faults of container runtimes hide behind a successful exec: stdin is closed as soon as the
process closes its stdout or stderr, and stdout can end early. The plain wrapper drains stdin
after the command, which cures the first. The counting wrapper also counts, inside the container,
the bytes that the command took and gave, and reports them at the end of stderr behind a random
mark, so that both ends can be compared. It needs `sh`, `cat`, `tee` and `wc`, whichever make.
"""

import re
from collections.abc import Sequence

import msgspec

DRAIN = '"$@"; rc=$?; cat > /dev/null; exit $rc'

# fd 3: the container's stdout. fd 5: the report. Each stage copies what it passes on to `wc`;
# `tee` writes to its stdout first, so that bytes which nobody took are not counted. The copy
# goes through /dev/fd/8, a pipe that this shell made, as opening the runtime's own stdout may be
# forbidden to a user who is not root.
_COUNT = """
mark=$1; shift
count() { { seen=$(tee /dev/fd/8 8>&1 >&7 7>&- | wc -c 7>&-); } 7>&1; echo "$1 $seen;" >&5; }
run() { "$@" 3>&- 5>&-; echo "exit $?;" >&5; }
exec 3>&1
report=$({ %s; } 5>&1)
cat > /dev/null
printf '\\n%%s%%s\\n' "$mark" "$report" >&2
"""


class Report(msgspec.Struct, frozen=True):
    """What the counting wrapper says; None where it did not say."""

    exit_code: int | None
    stdin_bytes: int | None
    stdout_bytes: int | None


def draining(command: Sequence[str]) -> list[str]:
    """Return `command` wrapped so that stdin is read to its end whatever happens."""
    return ["sh", "-c", DRAIN, "sh", *command]


def counting(command: Sequence[str], mark: str, *, stdin: bool, stdout: bool) -> list[str]:
    """Return `command` wrapped so that the named streams are counted, reported behind `mark`."""
    stages = ["count stdin"] if stdin else []
    stages.append('run "$@"')
    if stdout:
        stages.append("count stdout")
    return ["sh", "-c", _COUNT % (" | ".join(stages) + " >&3"), "sh", mark, *command]


def split_report(stderr: bytes, mark: str) -> tuple[bytes, Report | None]:
    """Return stderr without the report, and the report; None when it is missing or cut."""
    text, found, report = stderr.rpartition(b"\n" + mark.encode())
    if not found or not report.endswith(b";\n"):
        return stderr, None
    numbers = {
        name: int(number) for name, number in re.findall(r"(\w+)\s+(\d+);", report.decode("ascii"))
    }
    return text, Report(numbers.get("exit"), numbers.get("stdin"), numbers.get("stdout"))
