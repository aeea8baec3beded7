"""Which version `last-good` and `last-verified` mean: pure decisions over a history's versions."""

from collections.abc import Sequence

from appshield.contracts.catalog import VersionRecord
from appshield.contracts.health import RestoreChoice
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import NamedVersion
from appshield.contracts.runs import Failure


def chosen(versions: Sequence[VersionRecord], choice: RestoreChoice) -> VersionRecord | None:
    """Return the newest version that is as asked; None where there is none.

    `last-verified` finds none: versions are not verified by a restore yet, and that every byte of
    one was read is less than that.
    """
    if choice == "last-verified":
        return None
    good = [version for version in versions if _is_good_somewhere(version)]
    return max(good, key=lambda version: version.facts.number, default=None)


def newest_good_in(versions: Sequence[VersionRecord], vault: str) -> NamedVersion | None:
    """Return the newest good version as a Vault calls it; None where it is not good there."""
    newest = chosen(versions, "last-good")
    here = newest.at(vault) if newest is not None else None
    if here is None or here.damage is not None:
        return None
    return NamedVersion(number=here.facts.number, snapshot_id=here.snapshot_id)


def nothing(app: AppRef, choice: RestoreChoice) -> Failure:
    """Say that there is no such version."""
    if choice == "last-verified":
        return Failure(
            what=f"application {app} has no verified version",
            why="versions are not verified by a restore yet",
            next_step="Ask for last-good, or for a number.",
        )
    return Failure(
        what=f"application {app} has no good version",
        next_step=f"`appshield versions {app}` lists those that there are.",
    )


def _is_good_somewhere(version: VersionRecord) -> bool:
    places = [version.at(vault) for vault in version.vaults]
    return any(place is not None and place.damage is None for place in places)
