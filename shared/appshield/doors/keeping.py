"""For each version and Vault why it stays, or that it goes. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from appshield.application.upkeeping import why_kept
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A version in one Vault; without a reason it goes."""

    version: int
    vault: str
    cut_at: datetime
    reasons: tuple[str, ...]
    app_id: str


def kept_of(
    record: ApplicationRecord, versions: Iterable[VersionRecord], now: datetime
) -> Iterator[Kept]:
    """Say of each version in each Vault why it stays."""
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
