"""The main job on a real application, from its deployment to the proof that it came back whole.

Deploy; load it; make version 1 under load; change data, configuration and image; make version 2;
delete the namespace; restore version 1; compare what runs with the log of the load.
"""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from appshield.contracts.backups import VersionFacts
from appshield.kubernetes import Cluster
from appshield.local.demo import deploying
from appshield.local.demo.application import FILES_CLAIM, NAME, NAMESPACE, ROWS_CLAIM
from appshield.local.demo.checker import Violation, check
from appshield.local.demo.continuity import Continuity
from appshield.local.demo.cutting import observing_snapshots
from appshield.local.demo.facts import Cut, Gap, Running, Stored
from appshield.local.demo.images import ShopImages
from appshield.local.demo.reading import read_running, read_stored, web_url
from appshield.local.demo.timeline import Timeline, bytes_text
from appshield.local.demo.write_log import STREAMS, Stream, longest_gap_s, read_log
from appshield.local.demo.writer import writing

BASELINE_S = 10.0
"""How long the load runs without a backup, once before it and once after it, to know how long
writes wait by themselves."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Version 1, made under load, and what was observed meanwhile."""

    version: VersionFacts
    before: Running
    cuts: Mapping[Stream, Cut]
    gaps: Mapping[Stream, Gap]


async def run_demo(
    cluster: Cluster,
    continuity: Continuity,
    *,
    images: ShopImages,
    log: Path,
    timeline: Timeline,
    namespace: str = NAMESPACE,
    baseline_s: float = BASELINE_S,
) -> tuple[Violation, ...]:
    """Play the whole scenario and return what does not hold; nothing when all is well.

    `log` is a new file for the log of the load. Steps and figures go to `timeline`, which is not
    printed. The restored application is left running; the next demo removes it. Raises
    AppShieldError when a step fails.
    """
    if await deploying.remove_left_over(cluster, namespace):
        timeline.say(f"removed the namespace {namespace} of an earlier demo")
    with timeline.measure("deploy the application"):
        await deploying.deploy(cluster, namespace, images)
        await deploying.protect(cluster, namespace)
    loaded = await _version_under_load(
        cluster, continuity, namespace, log=log, timeline=timeline, baseline_s=baseline_s
    )
    with timeline.measure("change data, configuration and image"):
        await deploying.change(cluster, namespace, images)
    with timeline.measure("back up: version 2"):
        second = await continuity.back_up(namespace, NAME)
    with timeline.measure("delete the namespace"):
        await deploying.destroy(cluster, namespace)
    restore_began_s = time.monotonic()
    with timeline.measure(f"restore version {loaded.version.number}"):
        await continuity.restore(namespace, NAME, loaded.version.number)
        await deploying.wait_until_served(cluster, namespace)
    recovery_s = time.monotonic() - restore_began_s
    with timeline.measure("read everything back and compare"):
        stored = await read_stored(cluster, namespace)
        violations = check(
            log=read_log(log),
            cuts=loaded.cuts,
            gaps=loaded.gaps,
            before=loaded.before,
            restored=await read_running(cluster, namespace),
            stored=stored,
        )
    _tell(timeline, loaded, second, stored, recovery_s)
    return violations


async def _version_under_load(
    cluster: Cluster,
    continuity: Continuity,
    namespace: str,
    *,
    log: Path,
    timeline: Timeline,
    baseline_s: float,
) -> Loaded:
    url = await web_url(cluster, namespace)
    async with writing(url, log):
        with timeline.measure("write rows and files, without a backup"):
            began_s = time.monotonic()
            await asyncio.sleep(baseline_s)
        before = await read_running(cluster, namespace)
        backup_began_s = time.monotonic()
        async with observing_snapshots(cluster, namespace) as seen:
            with timeline.measure("back up under load: version 1"):
                version = await continuity.back_up(namespace, NAME)
        backup_ended_s = time.monotonic()
        with timeline.measure("write on, without a backup"):
            await asyncio.sleep(baseline_s)
        ended_s = time.monotonic()
    entries = read_log(log)
    gaps: dict[Stream, Gap] = {}
    for stream in STREAMS:
        first = longest_gap_s(entries, stream, since_s=began_s, to_s=began_s + baseline_s)
        during = longest_gap_s(entries, stream, since_s=backup_began_s, to_s=backup_ended_s)
        last = longest_gap_s(entries, stream, since_s=ended_s - baseline_s, to_s=ended_s)
        gaps[stream] = Gap(baseline_s=max(first, last), backup_s=during)
    cuts: dict[Stream, Cut] = {
        "rows": seen.cut_of(ROWS_CLAIM),
        "files": seen.cut_of(FILES_CLAIM),
    }
    return Loaded(version=version, before=before, cuts=cuts, gaps=gaps)


def _tell(
    timeline: Timeline,
    loaded: Loaded,
    second: VersionFacts,
    stored: Stored,
    recovery_s: float,
) -> None:
    for facts in (loaded.version, second):
        read = bytes_text(sum(source.bytes_read for source in facts.sources))
        kept = bytes_text(sum(source.bytes_stored for source in facts.sources))
        timeline.figure(f"version {facts.number}", f"{read} read, {kept} stored")
    timeline.figure("consistency", loaded.version.consistency)
    timeline.figure("application quiesced for", f"{loaded.version.quiesced_ms} ms")
    for stream, gap in loaded.gaps.items():
        text = f"{gap.backup_s * 1000:.0f} ms with a backup, {gap.baseline_s * 1000:.0f} ms without"
        timeline.figure(f"longest gap between acknowledged {stream}", text)
    timeline.figure("restored", f"{len(stored.rows)} rows, {len(stored.files)} files")
    timeline.figure("recovery time (RTO)", f"{recovery_s:.1f} s")
