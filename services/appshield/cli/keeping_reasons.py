"""`appshield versions APP --why`: for each version and Vault why it stays, or that it goes."""

from datetime import UTC, datetime

from appshield.cli.output import note, pause_text, say_json, say_table, time_text
from appshield.cli.reaching import Reach
from appshield.doors.keeping import kept_of
from appshield.doors.naming import histories, wanted
from appshield.doors.records import applications, versions_of


async def say_reasons(app: str, namespace: str, history: str, output: str) -> None:
    """Say why each version of an application stays."""
    want, now = wanted(app, namespace), datetime.now(UTC)
    async with Reach.here().bus() as bus:
        records = histories(await applications(bus), want, history)
        found = [
            one
            for record in records
            for one in kept_of(record, await versions_of(bus, record.app_id), now)
        ]
    if output == "json":
        say_json(found)
        return
    for record in records:
        if record.paused is not None:
            note(f"{record.app} is paused {pause_text(record.paused)}: no version expires")
    say_table(
        ("VERSION", "CUT AT", "VAULT", "STAYS BECAUSE"),
        [
            (
                str(one.version),
                time_text(one.cut_at),
                one.vault,
                "; ".join(one.reasons) or "nothing: it goes with the next upkeep",
            )
            for one in found
        ],
        empty=f"{want} has no version yet. `appshield backup {want}` makes one.",
    )
