"""Wait until the kubelet of this node has mounted a volume.

The mount is looked for where it appears. That a pod runs is told a second or two later: its
container has to start, and the kubelet to notice, before the API server hears of it.
"""

import asyncio

from appshield.errors import UnavailableError
from appshield.podvolumes.opening import PodDevice, PodVolume

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.1


async def until_mounted(volume: PodVolume | PodDevice, *, timeout_s: float) -> None:
    """Return as soon as the volume is mounted on this node.

    Raises:
        UnavailableError: it was not in time.
        RefusedError: a link is in the way.
    """
    pause_s = _FIRST_PAUSE_S
    try:
        async with asyncio.timeout(timeout_s):
            while not volume.is_there():
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
    except TimeoutError as error:
        raise UnavailableError(
            f"the volume of {volume.pod} was not mounted within {timeout_s:g} s",
            why=f"the kubelet has made no mount at {volume.folder}",
            next_step=f"Look at {volume.pod} with `kubectl describe`; the step is tried again.",
        ) from error
