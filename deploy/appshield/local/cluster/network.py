"""The network of a local cluster: a namespace of its own, joined to this machine by two links.

Nothing of the machine's own network changes except one link and two routes, and these disappear
with the namespace: no bridge, no rule, no setting is left behind.
"""

import asyncio
import ipaddress
import json
from pathlib import Path

from appshield.errors import RefusedError
from appshield.local.cluster.commands import run_command
from appshield.local.cluster.mounts import mounts_below
from appshield.local.cluster.settings import ClusterSettings

_NAMESPACES = Path("/run/netns")
_NODE_LINK = "eth0"


def namespace_file(settings: ClusterSettings) -> Path:
    """What `nsenter --net=` wants."""
    return _NAMESPACES / settings.label


async def ensure_network(settings: ClusterSettings) -> None:
    """Make namespace, links and routes unless they are there. Safe to call again at any time.

    Raises `RefusedError` when an address range is in use on this machine.
    """
    file, addresses = namespace_file(settings), settings.addresses
    if not mounts_below(file):
        file.unlink(missing_ok=True)  # what a crash of the machine left: a file, not a namespace
        await run_command("ip", "netns", "add", settings.label)
    if not await _has_link(settings):
        await _refuse_used_ranges(settings)
        peer = ("peer", "name", _NODE_LINK, "netns", settings.label)
        await run_command("ip", "link", "add", settings.host_link, "type", "veth", *peer)
    await _in_node(settings, "link", "set", "lo", "up")
    await _in_node(settings, "address", "replace", f"{addresses.node}/24", "dev", _NODE_LINK)
    await _in_node(settings, "link", "set", _NODE_LINK, "up")
    await _in_node(settings, "route", "replace", "default", "via", addresses.host)
    link = settings.host_link
    await run_command("ip", "address", "replace", f"{addresses.host}/24", "dev", link)
    await run_command("ip", "link", "set", link, "up")
    for target in (addresses.pods, addresses.services):
        await run_command("ip", "route", "replace", target, "via", addresses.node, "dev", link)


async def remove_network(settings: ClusterSettings) -> None:
    """Delete namespace and links; what is not there is no error."""
    file = namespace_file(settings)
    if mounts_below(file):
        if await _has_link(settings):
            await run_command("ip", "link", "delete", settings.host_link)
        await run_command("ip", "netns", "delete", settings.label)
    await asyncio.to_thread(file.unlink, missing_ok=True)


async def _has_link(settings: ClusterSettings) -> bool:
    """Whether both ends of the link are there. Raises `RefusedError` when one is another's."""
    inside = await run_command("ip", "-netns", settings.label, "-json", "link", "show")
    in_node = any(link["ifname"] == _NODE_LINK for link in json.loads(inside))
    outside = Path("/sys/class/net", settings.host_link).exists()
    if outside and not in_node:
        raise RefusedError(
            f"the link {settings.host_link} belongs to something else",
            why="two names of local clusters can lead to the same addresses",
            next_step="Choose another --name for the local cluster",
        )
    return outside


async def _in_node(settings: ClusterSettings, *words: str) -> None:
    await run_command("ip", "-netns", settings.label, *words)


async def _refuse_used_ranges(settings: ClusterSettings) -> None:
    """Another cluster, a VPN or a LAN may have our addresses: two owners would break both."""
    addresses = settings.addresses
    wanted = [
        ipaddress.ip_network(text)
        for text in (f"{addresses.node}/32", addresses.pods, addresses.services)
    ]
    routes = json.loads(await run_command("ip", "-json", "-4", "route", "show", "table", "all"))
    for route in routes:
        destination = route.get("dst", "default")
        if destination == "default":
            continue
        used = ipaddress.ip_network(destination, strict=False)
        # Wide routes (a VPN over all of 10/8) are overruled by our narrow ones.
        clash = [net for net in wanted if used.prefixlen >= 16 and net.overlaps(used)]
        if clash:
            raise RefusedError(
                f"the address range {clash[0]} is in use on this machine",
                why=f"there is a route to {destination} by {route.get('dev', '?')}",
                next_step="Choose another --name for the local cluster, or use KUBECONFIG",
            )
