"""Reading a Vault anew, so that the catalog lists again what is in it."""

from litestar import Response, post
from litestar.types import ControllerRouterHandler

from appshield.contracts.message import Request
from appshield.doors import asking
from appshield.doors.actions import CHANGE_VAULTS
from appshield.doors.asking import Asker
from appshield.gateway.api.frame.commands import Accepted, AsCommands
from appshield.gateway.api.frame.parameters import Named
from appshield.gateway.api.frame.rights import in_cluster


@post(
    "/vaults/{vault:str}/rebuild",
    status_code=202,
    opt=in_cluster(CHANGE_VAULTS),
    tags=["Vaults"],
)
async def rebuild_catalog(commands: AsCommands, vault: Named) -> Response[Accepted]:
    """Read a Vault and list every application and version that is in it."""

    async def wish(asker: Asker) -> Request:
        return asking.rebuild_catalog(vault, asker)

    return await commands.ask(wish, kind="catalog")


ROUTES: tuple[ControllerRouterHandler, ...] = (rebuild_catalog,)
