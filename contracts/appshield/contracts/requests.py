"""What people and tools may ask for. Each is admitted by the planner and by nobody else."""

from typing import ClassVar, Literal

from appshield.contracts.message import Request


class RequestBackup(Request, frozen=True, kw_only=True, tag="appshield.v1.request_backup"):
    """Make a version of this application now."""

    noun: ClassVar[str] = "backup"

    reason: str = ""


class RequestRestore(Request, frozen=True, kw_only=True, tag="appshield.v1.request_restore"):
    """Bring a version back, into its own namespace or into `target_namespace`.

    `app_id` chooses a history where several had the application's name. With `dry_run` the run
    ends with the list of what would be created. `running_backup` says what happens to one.
    """

    noun: ClassVar[str] = "restore"

    version: int
    app_id: str = ""
    target_namespace: str = ""
    dry_run: bool = False
    running_backup: Literal["wait", "cancel"] = "wait"


class RequestCancel(Request, frozen=True, kw_only=True, tag="appshield.v1.request_cancel"):
    """Stop a run; nothing of it stays behind."""

    noun: ClassVar[str] = "run"

    run: str


class RequestCatalog(Request, frozen=True, kw_only=True, tag="appshield.v1.request_catalog"):
    """Read a Vault and rebuild the catalog from it. `app` is the request's own place."""

    noun: ClassVar[str] = "catalog"

    vault: str


AnyRequest = RequestBackup | RequestRestore | RequestCancel | RequestCatalog
