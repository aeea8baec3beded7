"""What people and tools may ask for. Each is admitted by the planner and by nobody else."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from appshield.contracts.applications import Keep
from appshield.contracts.gates import Operation
from appshield.contracts.health import RestoreChoice
from appshield.contracts.identities import AppRef, RunKind
from appshield.contracts.maintenance import PRUNE_GRACE_S
from appshield.contracts.message import Request
from appshield.contracts.runs import Failure


class RequestBackup(Request, frozen=True, kw_only=True, tag="appshield.v1.request_backup"):
    """Make a version of this application now.

    With `rule` it is a version of that rule, which starts by hand: kept as the rule says, and
    subject to its settle time, rate and windows. With `keep` it is one of those that were asked for
    so: of them as many stay as the newest such request says. `targets` are the Vaults of these,
    the application's if there are none. `about` names the object that asks, where one does.
    """

    noun: ClassVar[str] = "backup"

    reason: str = ""
    rule: str = ""
    keep: Keep | None = None
    targets: tuple[str, ...] = ()
    about: str = ""


class RequestGate(Request, frozen=True, kw_only=True, tag="appshield.v1.request_gate"):
    """Make a version of this application before an operation goes on.

    `rule` is the gate's; versions that it makes stay as that rule says. `about` names in words what
    the operation changes. The run begins after the request, so its version is cut later.
    """

    noun: ClassVar[str] = "gate"

    operation: Operation
    rule: str = ""
    about: str = ""


class RequestRestore(Request, frozen=True, kw_only=True, tag="appshield.v1.request_restore"):
    """Bring a version back, into its own namespace or into `target_namespace`.

    `app_id` chooses a history where several had the application's name. With `dry_run` the run
    ends with the list of what would be done. `running_backup` says what happens to one.
    A version that is known to be damaged comes back in part, and only with `keep_going`. `vault`
    chooses which copy is read; without, that is the first good one, and the next if it fails.

    `paths` choose parts of the version, as it lists them: `manifests`, `volumes/data/etc`,
    `volumes/*/**/*.conf`; none choose all. With `existing` what is there already is no refusal:
    only what differs is written, and files that the version does not hold go with `delete_extra`.
    Archived images that their registry lacks are pushed back to it, or all of them to `registry`.
    `choice` names the version where `version` is 0: the newest one that is as asked when the
    planner decides. With `needs_approval` nothing happens before somebody approves of the run.
    `about` names the object that asks, where one does. With a `refusal` its door has found that
    this is not to be done, as whoever asks is `denied` a right, or as there is nothing to restore:
    it becomes a failed run, so that it is answered and on record.
    """

    noun: ClassVar[str] = "restore"

    version: int
    app_id: str = ""
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
    choice: RestoreChoice | None = None
    reason: str = ""
    about: str = ""
    refusal: Failure | None = None
    denied: bool = False


class RequestCancel(Request, frozen=True, kw_only=True, tag="appshield.v1.request_cancel"):
    """Stop a run; nothing of it stays behind."""

    noun: ClassVar[str] = "run"

    run: str


class RequestApprove(Request, frozen=True, kw_only=True, tag="appshield.v1.request_approve"):
    """Let a run begin that waits for approval."""

    noun: ClassVar[str] = "approval"

    run: str


class RequestPause(Request, frozen=True, kw_only=True, tag="appshield.v1.request_pause"):
    """Let nothing begin by itself for this application, or again with `paused` false."""

    noun: ClassVar[str] = "pause"

    paused: bool = True
    reason: str = ""


class RequestCatalog(Request, frozen=True, kw_only=True, tag="appshield.v1.request_catalog"):
    """Read a Vault and rebuild the catalog from it. `app` is the request's own place."""

    noun: ClassVar[str] = "catalog"

    vault: str


class RequestForget(Request, frozen=True, kw_only=True, tag="appshield.v1.request_forget"):
    """Let versions stop to exist, in one `vault` or in all of them.

    Pinned ones stay; the last good one goes with `even_last`.
    """

    noun: ClassVar[str] = "forget"

    app_id: str
    versions: tuple[int, ...]
    even_last: bool = False
    reason: str = ""
    vault: str = ""


class RequestPrune(Request, frozen=True, kw_only=True, tag="appshield.v1.request_prune"):
    """Remove what no version of this application needs from a Vault, its own by default."""

    noun: ClassVar[str] = "prune"

    app_id: str
    vault: str = ""
    grace_s: float = PRUNE_GRACE_S


class RequestCheck(Request, frozen=True, kw_only=True, tag="appshield.v1.request_check"):
    """Check an application's repository in a Vault, its own by default.

    Data is read of `part` of `parts` equal parts; `parts` 0 reads none, 1 all.
    """

    noun: ClassVar[str] = "check"

    app_id: str
    vault: str = ""
    part: int = 0
    parts: int = 0


class RequestRepair(Request, frozen=True, kw_only=True, tag="appshield.v1.request_repair"):
    """Make the index of an application's repository whole again, in its own Vault by default."""

    noun: ClassVar[str] = "repair"

    app_id: str
    vault: str = ""


class RequestPin(Request, frozen=True, kw_only=True, tag="appshield.v1.request_pin"):
    """Keep a version whatever the rules say, or let it go again with `pinned` false."""

    noun: ClassVar[str] = "pin"

    app_id: str
    version: int
    pinned: bool = True


class RequestCopy(Request, frozen=True, kw_only=True, tag="appshield.v1.request_copy"):
    """Copy a version into another Vault now, whether or not a rule asks for it."""

    noun: ClassVar[str] = "copy"

    app_id: str
    version: int
    vault: str


AnyRequest = (
    RequestBackup
    | RequestGate
    | RequestRestore
    | RequestCancel
    | RequestApprove
    | RequestPause
    | RequestCatalog
    | RequestForget
    | RequestPrune
    | RequestCheck
    | RequestRepair
    | RequestPin
    | RequestCopy
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A command that came over REST, kept under its run's id, or its own where it makes no run.

    `digest` is of what it says, so that the same key with other words is refused. It is written
    before the request is published, and again when that is done.
    """

    app: AppRef
    kind: RunKind | None
    actor: str
    digest: str
    at: datetime
    published: bool = False
