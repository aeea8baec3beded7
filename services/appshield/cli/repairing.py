"""`appshield vault repair`: a damaged index is made anew, damaged content comes from elsewhere."""

from appshield.cli.options import Namespace, Output, Wait
from appshield.cli.repositories import OnlyApp, VaultName, ask_for_each
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.message import Request
from appshield.doors import asking
from appshield.doors.asking import Asker
from appshield.errors import DamagedError


async def repair(
    name: VaultName,
    /,
    *,
    app: OnlyApp = "",
    namespace: Namespace = "",
    wait: Wait = False,
    output: Output = "text",
) -> None:
    """Make repositories whole again, of each application or of one.

    Writes config and key files anew where they are damaged or lost. Names every pack that is there
    in the index, drops those that are not, and removes index files that are damaged. Where other
    Vaults hold versions of the application, all data is read, and what is damaged or missing is
    brought from there; what no other Vault has is named. Without another Vault what was lost with
    a pack stays lost: `vault check` says which.

    Raises:
        DamagedError: something stays damaged; it was said before.
    """

    def repairing(record: ApplicationRecord, asker: Asker) -> Request:
        return asking.repair(record, asker, name)

    repaired = await ask_for_each(name, app, namespace, repairing, wait=wait, output=output)
    done = [run.repair.done for run in repaired if run.repair and run.repair.done]
    damaged = [one for one in done if one.healed and one.healed.damage]
    if damaged:
        raise DamagedError(
            f"{len(damaged)} of {len(repaired)} applications in Vault {name} still have damage",
            why="no other Vault holds what is missing, or none could be read",
            next_step="The lines above name versions and paths.",
        )
