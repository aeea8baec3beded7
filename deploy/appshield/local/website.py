"""The web interface of a checkout: built beside the running services when it is first used."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

from appshield.local import website_building
from appshield.local.website_building import is_built, source_folder


async def keep_built(report: Callable[[str], None]) -> None:
    """Build the web interface where it is not built; say so, also when it cannot be.

    The gateway serves it as soon as it is there; nothing waits for it.
    """
    folder = source_folder()
    if folder is None or await asyncio.to_thread(is_built, folder):
        return
    report("building the web interface, once; all else works meanwhile")
    building = await asyncio.create_subprocess_exec(
        sys.executable,
        website_building.__file__,
        str(folder),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # so that what it starts ends with it
    )
    try:
        _, said = await building.communicate()
    except asyncio.CancelledError:
        os.killpg(building.pid, signal.SIGTERM)
        await building.wait()
        raise
    if building.returncode:
        report(f"without the web interface: {said.decode().strip()}")
    else:
        report("the web interface is built")
