"""`appshield restore`: ask for a version to be brought back."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from appshield.cli.backups import follow
from appshield.cli.options import AppName, History, Namespace, Output, Wait
from appshield.cli.reaching import Reach
from appshield.doors import asking
from appshield.doors.naming import wanted, with_versions
from appshield.doors.records import applications, version_of
from appshield.doors.requesting import ask

Paths: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name="--path",
        negative="",
        help="Only this of the version, as `ls` lists it: manifests, volumes/data, "
        "'volumes/*/**/*.conf'. May be given several times.",
    ),
]
Existing: TypeAlias = Annotated[
    bool,
    Parameter(
        negative="",
        help="Restore onto what is there: only what differs is written; objects are changed.",
    ),
]
DeleteExtra: TypeAlias = Annotated[
    bool,
    Parameter(negative="", help="With --existing: delete files that the version does not hold."),
]
ImageRegistry: TypeAlias = Annotated[
    str,
    Parameter(
        name="--registry", help="Push archived images to this registry and run them from there."
    ),
]
DryRun: TypeAlias = Annotated[
    bool,
    Parameter(
        negative="", help="List what would be created, changed and deleted, and do nothing of it."
    ),
]
CancelBackup: TypeAlias = Annotated[
    bool, Parameter(negative="", help="Stop a backup that runs instead of waiting for it.")
]
KeepGoing: TypeAlias = Annotated[
    bool, Parameter(negative="", help="Leave out what is damaged; exit code 10 if anything is.")
]
NeedsApproval: TypeAlias = Annotated[
    bool, Parameter(negative="", help="Do nothing before somebody says `appshield approve RUN`.")
]
ReadFrom: TypeAlias = Annotated[
    str,
    Parameter(name="--from", help="The Vault to read. Default: the first good one, then the next."),
]


async def restore(
    app: AppName,
    version: Annotated[int, Parameter(name="VERSION", help="The number of the version.")],
    /,
    *,
    to: Annotated[str, Parameter(name="--to", help="Another namespace to restore into.")] = "",
    vault: ReadFrom = "",
    namespace: Namespace = "",
    history: History = "",
    wait: Wait = False,
    path: Paths = None,
    existing: Existing = False,
    delete_extra: DeleteExtra = False,
    registry: ImageRegistry = "",
    dry_run: DryRun = False,
    cancel_backup: CancelBackup = False,
    keep_going: KeepGoing = False,
    needs_approval: NeedsApproval = False,
    reason: Annotated[str, Parameter(help="Why, for the run's record.")] = "",
    output: Output = "text",
) -> None:
    """Bring a version back, into its own namespace or into another one.

    It refuses a namespace that holds any object it would create, and names them, unless told to
    restore onto what is there; then it refuses while a pod uses a volume that would be written. It
    refuses a version that is known to be damaged, unless told to keep going.
    """
    want, reach = wanted(app, namespace), Reach.here()
    options = asking.RestoreOptions(
        target_namespace=to,
        paths=tuple(path or ()),
        existing=existing,
        delete_extra=delete_extra,
        registry=registry,
        dry_run=dry_run,
        keep_going=keep_going,
        running_backup="cancel" if cancel_backup else "wait",
        vault=vault,
        needs_approval=needs_approval,
        reason=reason,
    )
    options.ensure_sensible()
    async with reach.bus() as bus:
        record = with_versions(await applications(bus), want, history)
        await version_of(bus, record, version)
        request = asking.restore(record, await reach.asker(bus), version, options)
        await follow(bus, await ask(bus, request), wait=wait or dry_run, output=output)
