"""`appshield vault repair`: an index that is damaged or lost is made anew from the packs."""

from appshield.cli.options import Namespace, Output, Wait
from appshield.cli.progress import display
from appshield.cli.reaching import Reach
from appshield.cli.repositories import (
    OnlyApp,
    VaultName,
    histories_in,
    place_of,
    say_ids,
    say_runs,
)
from appshield.cli.requesting import actor, ask, new_request_id
from appshield.cli.waiting import ended
from appshield.contracts.requests import RequestRepair


async def repair(
    name: VaultName,
    /,
    *,
    app: OnlyApp = "",
    namespace: Namespace = "",
    wait: Wait = False,
    output: Output = "text",
) -> None:
    """Make the index whole again, of each application or of one.

    Names every pack that is there, drops those that are not, and removes index files that are
    damaged. What versions have lost with a pack stays lost: `vault check` says which.
    """
    async with Reach.here().bus() as bus:
        runs = []
        for record in await histories_in(bus, name, app, namespace):
            request = RequestRepair(
                app=await place_of(bus, record),
                request_id=new_request_id(),
                actor=actor(),
                app_id=record.app_id,
                vault=name,
            )
            runs.append(await ask(bus, request, "repair"))
        if not wait:
            say_ids(runs, "repair", output)
            return
        say_runs([await ended(bus, run, display()) for run in runs], output)
