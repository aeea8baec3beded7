"""`appshield forget`, `pin`, `unpin` and `copy`: which versions stay, and where."""

from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import replace

from appshield.cli.backups import follow
from appshield.cli.naming import wanted, with_versions
from appshield.cli.options import AppName, History, Namespace, Output, Wait
from appshield.cli.reaching import Reach
from appshield.cli.records import applications, version_of
from appshield.cli.requesting import actor, ask, new_request_id
from appshield.contracts.requests import RequestCopy, RequestForget, RequestPin

Number = Annotated[int, Parameter(name="VERSION", help="The number of the version.")]
Numbers = Annotated[
    tuple[int, ...], Parameter(name="VERSION", help="The numbers of one version or several.")
]


async def forget(
    app: AppName,
    versions: Numbers,
    /,
    *,
    even_last: Annotated[
        bool, Parameter(negative="", help="Even if no good version is left then.")
    ] = False,
    vault: Annotated[
        str, Parameter(help="Only in this Vault; copies in others stay. Default: everywhere.")
    ] = "",
    reason: Annotated[str, Parameter(help="Why, for the run's record.")] = "",
    namespace: Namespace = "",
    history: History = "",
    wait: Wait = False,
    output: Output = "text",
) -> None:
    """Let versions stop to exist. A pinned one is refused; data goes with a later prune."""
    want, reach = wanted(app, namespace), Reach.here()
    async with reach.bus() as bus:
        record = with_versions(await applications(bus), want, history)
        for number in versions:
            await version_of(bus, record, number)
        request = RequestForget(
            app=replace(record.app, cluster=await reach.cluster_name(bus)),
            request_id=new_request_id(),
            actor=actor(),
            app_id=record.app_id,
            versions=versions,
            even_last=even_last,
            reason=reason,
            vault=vault,
        )
        await follow(bus, await ask(bus, request, "forget"), wait=wait, output=output)


async def copy(
    app: AppName,
    version: Number,
    /,
    *,
    to: Annotated[str, Parameter(name="--to", help="The Vault to copy it to.")],
    namespace: Namespace = "",
    history: History = "",
    wait: Wait = False,
    output: Output = "text",
) -> None:
    """Copy a version into another Vault now: only what is not there yet.

    Rules and documents with several `targets` have this done by themselves, and again after a
    failure. A copy that runs already is waited for.
    """
    want, reach = wanted(app, namespace), Reach.here()
    async with reach.bus() as bus:
        record = with_versions(await applications(bus), want, history)
        await version_of(bus, record, version)
        request = RequestCopy(
            app=replace(record.app, cluster=await reach.cluster_name(bus)),
            request_id=new_request_id(),
            actor=actor(),
            app_id=record.app_id,
            version=version,
            vault=to,
        )
        await follow(bus, await ask(bus, request, "copy"), wait=wait, output=output)


async def pin(
    app: AppName,
    version: Number,
    /,
    *,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """Keep a version whatever the rules say."""
    await _pin(app, version, namespace, history, output, pinned=True)


async def unpin(
    app: AppName,
    version: Number,
    /,
    *,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """Let the rules decide about a version again."""
    await _pin(app, version, namespace, history, output, pinned=False)


async def _pin(
    app: str, version: int, namespace: str, history: str, output: str, *, pinned: bool
) -> None:
    want, reach = wanted(app, namespace), Reach.here()
    async with reach.bus() as bus:
        record = with_versions(await applications(bus), want, history)
        await version_of(bus, record, version)
        request = RequestPin(
            app=replace(record.app, cluster=await reach.cluster_name(bus)),
            request_id=new_request_id(),
            actor=actor(),
            app_id=record.app_id,
            version=version,
            pinned=pinned,
        )
        await follow(bus, await ask(bus, request, "pin"), wait=True, output=output)
