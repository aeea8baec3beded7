"""`appshield diff`: what has changed from one version to another."""

import os
from typing import Annotated

from cyclopts import Parameter

from appshield.cli.contents import named, read, tell_data_read
from appshield.cli.options import AppName, History, Namespace, Output
from appshield.cli.output import note, say, say_json_line
from appshield.doors.comparing import ShownChange, changes, is_content
from appshield.doors.contents import Opened
from appshield.repository.differing import ChangeKind
from appshield.repository.files.problems import shown

_MARKS: dict[ChangeKind, str] = {"added": "+", "removed": "-", "changed": "M"}


async def diff(
    app: AppName,
    one: Annotated[int, Parameter(name="V1", help="The one version.")],
    other: Annotated[int, Parameter(name="V2", help="The other version.")],
    /,
    *,
    path: Annotated[str, Parameter(help="Only below this path.")] = "",
    metadata: Annotated[
        bool, Parameter(help="Also what differs in mode, owner, time or attributes alone.")
    ] = True,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """Show what was added (+), removed (-) and changed (M) from V1 to V2, and why.

    Manifests are shown field by field; of a Secret never a value.
    """
    of = await named(app, namespace, history, (one, other))
    await tell_data_read(of, path)

    def comparing(opened: Opened) -> int:
        count = 0
        for change in changes(opened, os.fsencode(path)):
            if metadata or change.change != "changed" or is_content(change):
                say_change(change, output)
                count += 1
        return count

    if not await read(of, comparing):
        note(f"versions {one} and {other} of {of.record.app} hold the same")


def say_change(change: ShownChange, output: str) -> None:
    """Write one change; no name in a backup forges a line, or steers the terminal."""
    if output == "json":
        say_json_line(change)
        return
    why = f"  ({', '.join(change.reasons)})" if change.reasons else ""
    say(f"{_MARKS[change.change]} {shown(change.path.encode())}{why}")
    for field in change.fields:
        say(f"    {shown(field.encode())}")
