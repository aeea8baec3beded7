"""`appshield forget`, `pin`, `unpin` and `copy`: which versions stay, and where."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, NamedTuple

from cyclopts import Parameter
from msgspec.structs import replace

from appshield.cli.backups import follow
from appshield.cli.options import AppName, History, Namespace, Output, Wait
from appshield.cli.reaching import Reach
from appshield.contracts.identities import RunKind
from appshield.contracts.message import Request
from appshield.contracts.requests import RequestCopy, RequestForget, RequestPin
from appshield.doors.naming import wanted, with_versions
from appshield.doors.records import applications, version_of
from appshield.doors.requesting import actor, ask, new_request_id

Number = Annotated[int, Parameter(name="VERSION", help="The number of the version.")]
Numbers = Annotated[
    tuple[int, ...], Parameter(name="VERSION", help="The numbers of one version or several.")
]


class Versions(NamedTuple):
    """Versions of an application as a person names them."""

    app: str
    numbers: tuple[int, ...]
    namespace: str
    history: str

    async def request(
        self, kind: RunKind, make: Callable[..., Request], *, wait: bool, output: str
    ) -> None:
        """Make sure that they are there, and ask for what is to become of them.

        Raises:
            NotFoundError: there is no such application or version.
        """
        want, reach = wanted(self.app, self.namespace), Reach.here()
        async with reach.bus() as bus:
            record = with_versions(await applications(bus), want, self.history)
            for number in self.numbers:
                await version_of(bus, record, number)
            request = make(
                app=replace(record.app, cluster=await reach.cluster_name(bus)),
                request_id=new_request_id(),
                actor=actor(),
                app_id=record.app_id,
            )
            await follow(bus, await ask(bus, request, kind), wait=wait, output=output)


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
    about = Versions(app, versions, namespace, history)
    forgetting = partial(
        RequestForget, versions=versions, even_last=even_last, reason=reason, vault=vault
    )
    await about.request("forget", forgetting, wait=wait, output=output)


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
    about = Versions(app, (version,), namespace, history)
    copying = partial(RequestCopy, version=version, vault=to)
    await about.request("copy", copying, wait=wait, output=output)


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
    about = Versions(app, (version,), namespace, history)
    pinning = partial(RequestPin, version=version, pinned=True)
    await about.request("pin", pinning, wait=True, output=output)


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
    about = Versions(app, (version,), namespace, history)
    unpinning = partial(RequestPin, version=version, pinned=False)
    await about.request("pin", unpinning, wait=True, output=output)
