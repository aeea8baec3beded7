"""`appshield versions --size`: what each version takes, and what it alone takes."""

import msgspec

from appshield.cli.contents import named, read, tell_data_read
from appshield.cli.output import say_json, say_table, size_text, time_text
from appshield.contracts.catalog import VersionRecord
from appshield.doors.contents import Named, Opened
from appshield.repository.sizing import StoredSize, stored_sizes


class SizedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What `versions --size -o json` gives of a version.

    `content_bytes` come back in a restore. `added_bytes` are stored since no earlier version had
    them, `alone_bytes` go when this version is forgotten and the Vault pruned.
    """

    version: int
    vault: str
    content_bytes: int
    added_bytes: int
    alone_bytes: int


async def say_sizes(app: str, namespace: str, history: str, output: str) -> None:
    """Measure the versions of one history, in each Vault for itself."""
    of = await named(app, namespace, history)
    await tell_data_read(of, what="sizes")
    sized: list[tuple[VersionRecord, StoredSize]] = []
    for vault in sorted({vault for version in of.versions for vault in version.vaults}):
        held = tuple(here for one in of.versions if (here := one.at(vault)) is not None)
        found = await read(Named(of.record, held), _measured)
        sized += zip(held, found, strict=True)
    shown = [_shown(version, size) for version, size in sized]
    if output == "json":
        say_json(shown)
        return
    cut_at = {version.facts.number: time_text(version.facts.cut_at) for version, _ in sized}
    say_table(
        ("VERSION", "CUT AT", "SIZE", "ADDED", "ALONE", "VAULT"),
        [
            (
                str(one.version),
                cut_at[one.version],
                size_text(one.content_bytes),
                size_text(one.added_bytes),
                size_text(one.alone_bytes),
                one.vault,
            )
            for one in shown
        ],
        empty=f"{of.record.app} has no version yet. `appshield backup {of.record.app}` makes one.",
    )


def _measured(opened: Opened) -> list[StoredSize]:
    return stored_sizes(opened.reader, opened.repository.index, opened.roots)


def _shown(version: VersionRecord, size: StoredSize) -> SizedVersion:
    return SizedVersion(
        version=version.facts.number,
        vault=version.vault,
        content_bytes=sum(source.bytes_read for source in version.facts.sources),
        added_bytes=size.added_bytes,
        alone_bytes=size.alone_bytes,
    )
