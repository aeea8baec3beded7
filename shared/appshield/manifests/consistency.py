"""How consistent a version is, from what was really done when its point in time was cut."""

from collections.abc import Collection, Iterable

from appshield.contracts.sources import Consistency
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.volumes import VolumePlan


def consistency(
    application: ResolvedApplication,
    volumes: Iterable[VolumePlan],
    *,
    quiesced: Collection[str] = (),
    dumped: Collection[str] = (),
    one_cut: bool = False,
) -> Consistency:
    """Return the weakest guarantee that holds for all data of the version.

    Args:
        application: the resolved document.
        volumes: the volumes that were saved, with the method that was really used.
        quiesced: components whose quiesce succeeded in every pod it was meant for.
        dumped: components whose dump succeeded.
        one_cut: all snapshots were cut at one instant, as a group.

    `live`: a volume was read while in use. `application`: every component with data was quiesced
    or dumped. `crash-group`: as after a power cut, all volumes at one instant; one volume alone is
    that too. `crash-per-volume`: as after a power cut, each volume at its own instant.
    """
    saved = list(volumes)
    if any(volume.method == "live" for volume in saved):
        return "live"
    by_dump = {one.name for one in application.components if one.strategy == "dump"}
    all_quiesced = all(volume.component in quiesced for volume in saved)
    if all_quiesced and by_dump <= set(dumped):
        return "application"
    return "crash-group" if one_cut or len(saved) == 1 else "crash-per-volume"
