"""Shell wrappers that make an exec's streams trustworthy. Pure.

Two faults hide behind a successful exec: stdin is closed as soon as the process closes its stdout
or stderr, and the last bytes of stdout or stderr are lost when the process ends while they are on
their way. The plain wrapper drains stdin after the command, which cures the first. The counting
wrapper also counts, inside the container, the bytes that the command took and gave, reports them
on stderr between two random marks, so that both ends can be compared, and lives on until the
report has had its way: without stdin until the reader closes it, with stdin for a second, as its
end is spent. It needs `sh`, `cat`, `tee` and `wc`, whichever make.
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
"""
_REPORT = """printf '\\n%s%s%s\\n' "$mark" "$report" "$mark" >&2
"""
_AFTER_STDIN = f"""cat > /dev/null
{_REPORT}sleep 1
"""
_UNTIL_READ = f"""{_REPORT}cat > /dev/null
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
    """Return `command` wrapped so that the named streams are counted, reported between `mark`s.

    Without `stdin`, the wrapper's own stdin must be open; it ends after that was closed.
    """
    stages = ["count stdin", 'run "$@"'] if stdin else ['run "$@" < /dev/null']
    if stdout:
        stages.append("count stdout")
    script = _COUNT % (" | ".join(stages) + " >&3")
    end = _AFTER_STDIN if stdin else _UNTIL_READ
    return ["sh", "-c", script + end, "sh", mark, *command]


def split_report(stderr: bytes, mark: str) -> tuple[bytes, Report | None]:
    """Return stderr without the report, and the report; None while it is missing or not whole."""
    before, begun, rest = stderr.partition(b"\n" + mark.encode())
    report, ended, after = rest.partition(mark.encode() + b"\n")
    if not begun or not ended:
        return stderr, None
    found = re.findall(r"(\w+)\s+(\d+);", report.decode("ascii", errors="replace"))
    numbers = {name: int(number) for name, number in found}
    numbered = Report(numbers.get("exit"), numbers.get("stdin"), numbers.get("stdout"))
    return before + after, numbered
