"""`appshield versions APP --why`: for each version and Vault why it stays, or that it goes."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from appshield.application.upkeeping import why_kept
from appshield.cli.output import note, pause_text, say_json, say_table, time_text
from appshield.cli.reaching import Reach
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.doors.naming import histories, wanted
from appshield.doors.records import applications, versions_of


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What `versions --why -o json` gives: a version in one Vault; without a reason it goes."""

    version: int
    vault: str
    cut_at: datetime
    reasons: tuple[str, ...]
    app_id: str


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


def kept_of(
    record: ApplicationRecord, versions: Iterable[VersionRecord], now: datetime
) -> Iterator[Kept]:
    """Say of each version in each Vault why it stays. Pure."""
    known = list(versions)
    vaults = sorted({vault for version in known for vault in version.vaults})
    reasons = {
        vault: why_kept(record, [h for v in known if (h := v.at(vault)) is not None], vault, now)
        for vault in vaults
    }
    for version in known:
        for vault in version.vaults:
            number = version.facts.number
            yield Kept(
                version=number,
                vault=vault,
                cut_at=version.facts.cut_at,
                reasons=reasons[vault].get(number, ()),
                app_id=record.app_id,
            )
