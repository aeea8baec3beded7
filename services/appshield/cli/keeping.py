"""`appshield forget`, `pin`, `unpin` and `copy`: which versions stay, and where."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from appshield.cli.backups import follow
from appshield.cli.options import AppName, History, Namespace, Output, Wait
from appshield.cli.reaching import Reach
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.message import Request
from appshield.doors import asking
from appshield.doors.asking import Asker
from appshield.doors.naming import wanted, with_versions
from appshield.doors.records import applications, version_of
from appshield.doors.requesting import ask

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
        self, make: Callable[[ApplicationRecord, Asker], Request], *, wait: bool, output: str
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
            request = make(record, await reach.asker(bus))
            await follow(bus, await ask(bus, request), wait=wait, output=output)


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

    def forgetting(record: ApplicationRecord, asker: Asker) -> Request:
        return asking.forget(
            record, asker, versions, even_last=even_last, vault=vault, reason=reason
        )

    await about.request(forgetting, wait=wait, output=output)


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

    def copying(record: ApplicationRecord, asker: Asker) -> Request:
        return asking.copy(record, asker, version, to)

    await about.request(copying, wait=wait, output=output)


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
    await _pin(about, pinned=True, output=output)


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
    await _pin(about, pinned=False, output=output)


async def _pin(about: Versions, *, pinned: bool, output: str) -> None:
    def pinning(record: ApplicationRecord, asker: Asker) -> Request:
        return asking.pin(record, asker, about.numbers[0], pinned=pinned)

    await about.request(pinning, wait=True, output=output)
