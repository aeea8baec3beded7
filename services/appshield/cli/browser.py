"""`appshield web`: the web interface, logged in by a link that works once."""

import asyncio
import os
import webbrowser
from typing import Annotated

from cyclopts import Parameter

from appshield.cli.output import note, say
from appshield.cli.reaching import Reach
from appshield.errors import RefusedError, UnavailableError
from appshield.local.connection import read_connection


async def web(
    *,
    browser: Annotated[
        bool, Parameter(help="Open the link, where there is a desktop; it is printed anyhow.")
    ] = True,
) -> None:
    """Print a link that logs its bearer in once, as whoever ran `appshield up`, and open it.

    It works for ten minutes, on the machine where `appshield up` runs. Elsewhere log in with a
    token, as `kubectl create token` makes.
    """
    from appshield.gateway.access.login_links import link, new_code
    from appshield.local.web import answered

    reach = Reach.here()
    found = read_connection(reach.home)
    if not found.web:
        raise RefusedError(
            "this installation has no web interface",
            why="it was started by an AppShield before it had one",
            next_step="Start it again with `appshield up`.",
        )
    if not await answered(found.web):
        raise UnavailableError(
            "the web interface does not answer",
            why=f"nobody listens at {found.web}",
            next_step="Start it with `appshield up`; the folder of its logs is told there.",
        )
    address = link(found.web, new_code(reach.home.logins))
    say(address)
    desktop = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if browser and desktop and not await asyncio.to_thread(webbrowser.open, address):
        note("no browser could be opened: open the link yourself")
