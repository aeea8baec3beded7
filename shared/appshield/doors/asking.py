"""From what a person names to the request that says it: the same words at every door. Pure.

Each function takes the history or the run that is meant, and gives the request, or a clear error
where it is known beforehand that it cannot be done. All else is the planner's to decide.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias, TypedDict

import msgspec
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.gates import Operation
from appshield.contracts.identities import SYSTEM_NAMESPACE, AppRef
from appshield.contracts.maintenance import PRUNE_GRACE_S, part_of_day
from appshield.contracts.message import Door
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestCatalog,
    RequestCheck,
    RequestCopy,
    RequestForget,
    RequestGate,
    RequestPause,
    RequestPin,
    RequestPrune,
    RequestRepair,
    RequestRestore,
)
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.doors.naming import wanted
from appshield.errors import InvalidInputError, RefusedError

Contents: TypeAlias = Literal["structure", "sample", "all"]
"""How much of the data a check reads: none, a part of it each day, or all."""


class Said(TypedDict):
    """What every request says of whoever asks."""

    request_id: str
    actor: str
    door: Door
    address: str


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, through which door and in which cluster; the same `request_id` is asked once.

    `address` is where they ask from, as far as the door knows.
    """

    actor: str
    request_id: str
    cluster: str
    door: Door = "local"
    address: str = ""

    def said(self) -> Said:
        """Return what a request says of them."""
        return Said(
            request_id=self.request_id, actor=self.actor, door=self.door, address=self.address
        )

    def place(self, record: ApplicationRecord) -> AppRef:
        """Return the place of an application as it is, or would be, in the asker's cluster."""
        return replace(record.app, cluster=self.cluster)


class RestoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said of a restore beside its version; see `RequestRestore`."""

    target_namespace: str = ""
    paths: tuple[str, ...] = ()
    existing: bool = False
    delete_extra: bool = False
    registry: str = ""
    dry_run: bool = False
    running_backup: Literal["wait", "cancel"] = "wait"
    keep_going: bool = False
    vault: str = ""
    needs_approval: bool = False
    reason: str = ""

    def ensure_sensible(self) -> None:
        """Check that they do not contradict each other.

        Raises:
            InvalidInputError: they do, or name no namespace.
        """
        if self.delete_extra and not self.existing:
            raise InvalidInputError(
                "extra files can be deleted only where a restore goes onto what is there",
                why="nothing extra is in a volume that a restore makes",
                next_step="Ask for both (--existing --delete-extra), or for neither.",
            )
        if self.target_namespace:
            wanted("any", self.target_namespace)


def backup(
    record: ApplicationRecord, asker: Asker, *, reason: str = "", rule: str = ""
) -> RequestBackup:
    """Ask for a version now, or for one of a rule that starts by hand."""
    return RequestBackup(
        app=record.app,
        **asker.said(),
        reason=reason,
        rule=rule,
    )


def gate(
    record: ApplicationRecord, asker: Asker, before: Operation, *, about: str = ""
) -> RequestGate:
    """Ask for a version before an operation; it is kept as the gate's rule says."""
    return RequestGate(
        app=record.app,
        **asker.said(),
        operation=before,
        rule=gate_rule(record, before),
        about=about,
    )


def gate_rule(record: ApplicationRecord, before: Operation) -> str:
    """Name the rule that holds an operation; empty where none does."""
    return next((rule.name for rule in record.protections if before in rule.before), "")


def restore(
    record: ApplicationRecord, asker: Asker, version: int, options: RestoreOptions
) -> RequestRestore:
    """Ask for a version to be brought back; raises as `RestoreOptions.ensure_sensible`."""
    options.ensure_sensible()
    return RequestRestore(
        app=asker.place(record),
        **asker.said(),
        version=version,
        app_id=record.app_id,
        **msgspec.structs.asdict(options),
    )


def cancel(run: Run, asker: Asker) -> RequestCancel:
    """Ask for the end of a run.

    Raises:
        RefusedError: it has ended.
    """
    if run.state in FINAL_STATES:
        raise RefusedError(f"run {run.id} cannot be cancelled", why=f"it is {run.state} already")
    return RequestCancel(
        app=run.app,
        **asker.said(),
        run=run.id,
    )


def approve(run: Run, asker: Asker) -> RequestApprove:
    """Let a run begin that waits for it.

    Raises:
        RefusedError: it does not.
    """
    if run.state != "awaiting-approval":
        raise RefusedError(f"run {run.id} does not wait for approval", why=f"it is {run.state}")
    return RequestApprove(
        app=run.app,
        **asker.said(),
        run=run.id,
    )


def pause(
    record: ApplicationRecord, asker: Asker, *, paused: bool, reason: str = ""
) -> RequestPause:
    """Ask that nothing begins by itself for an application, or that it may again."""
    return RequestPause(
        app=record.app,
        **asker.said(),
        paused=paused,
        reason=reason,
    )


def forget(
    record: ApplicationRecord,
    asker: Asker,
    versions: Sequence[int],
    *,
    even_last: bool = False,
    vault: str = "",
    reason: str = "",
) -> RequestForget:
    """Ask that versions stop to exist, in one Vault or everywhere."""
    return RequestForget(
        app=asker.place(record),
        **asker.said(),
        app_id=record.app_id,
        versions=tuple(versions),
        even_last=even_last,
        vault=vault,
        reason=reason,
    )


def pin(record: ApplicationRecord, asker: Asker, version: int, *, pinned: bool) -> RequestPin:
    """Ask that a version stays whatever the rules say, or that they decide again."""
    return RequestPin(
        app=asker.place(record),
        **asker.said(),
        app_id=record.app_id,
        version=version,
        pinned=pinned,
    )


def copy(record: ApplicationRecord, asker: Asker, version: int, vault: str) -> RequestCopy:
    """Ask that a version comes into another Vault, too."""
    return RequestCopy(
        app=asker.place(record),
        **asker.said(),
        app_id=record.app_id,
        version=version,
        vault=vault,
    )


def check(
    record: ApplicationRecord, asker: Asker, vault: str, contents: Contents, now: datetime
) -> RequestCheck:
    """Ask for a check of an application's repository in a Vault; of a sample the day's part."""
    today = part_of_day(now)
    parts = {"structure": 0, "sample": today.parts, "all": 1}[contents]
    return RequestCheck(
        app=asker.place(record),
        **asker.said(),
        app_id=record.app_id,
        vault=vault,
        part=today.part if contents == "sample" else 0,
        parts=parts,
    )


def prune(
    record: ApplicationRecord, asker: Asker, vault: str, *, grace_s: float = PRUNE_GRACE_S
) -> RequestPrune:
    """Ask that what no version needs goes from a Vault."""
    return RequestPrune(
        app=asker.place(record),
        **asker.said(),
        app_id=record.app_id,
        vault=vault,
        grace_s=grace_s,
    )


def repair(record: ApplicationRecord, asker: Asker, vault: str) -> RequestRepair:
    """Ask that a damaged repository is made whole again."""
    return RequestRepair(
        app=asker.place(record),
        **asker.said(),
        app_id=record.app_id,
        vault=vault,
    )


def rebuild_catalog(vault: str, asker: Asker) -> RequestCatalog:
    """Ask that a Vault is read and the catalog made anew from it.

    Raises:
        InvalidInputError: that is no name of a Vault.
    """
    wanted(vault)
    place = AppRef(cluster=asker.cluster, namespace=SYSTEM_NAMESPACE, name=vault)
    return RequestCatalog(
        app=place,
        **asker.said(),
        vault=vault,
    )
