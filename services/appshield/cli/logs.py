"""`appshield logs`: what the services logged about a run, in the order in which they did."""

from datetime import datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter

from appshield.cli.options import Output, RunId
from appshield.cli.output import note, say, say_json_line, time_text
from appshield.cli.reaching import Reach
from appshield.contracts import decode
from appshield.contracts.runs import LogLine
from appshield.contracts.streams import LOGS
from appshield.contracts.subjects import log
from appshield.doors.records import run_of


async def logs(
    run: RunId,
    /,
    *,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), negative="", help="Go on until Ctrl-C.")
    ] = False,
    output: Output = "text",
) -> None:
    """Show what the services logged about a run."""
    lines = 0
    async with Reach.here().bus() as bus:
        found = await run_of(bus, run)
        stream = bus.read(LOGS, filters=(log(found.id, "*"),), follow=follow)
        async for stored in stream:
            line = decode(stored.body)
            if isinstance(line, LogLine):
                lines += 1
                _say_line(line, stored.time, output)
    if not lines:
        note(f"no service has logged anything about {found.id}, or its lines have expired")


def _say_line(line: LogLine, at: datetime, output: str) -> None:
    if output == "json":
        say_json_line(line)
        return
    fields = " ".join(f"{name}={_plain(value)}" for name, value in line.fields.items())
    say(f"{time_text(at)} {line.service:<11} {line.level:<7} {line.event} {fields}".rstrip())


def _plain(value: str) -> str:
    return value if value and " " not in value else msgspec.json.encode(value).decode()
