"""What must hold of a simulated system that has come to rest, whatever happened to it."""

from collections import Counter
from collections.abc import Iterator

from appshield.audit import lines_of, read_entry, verify
from appshield.audit.finding import VaultArchive
from appshield.contracts.runs import Run
from appshield.contracts.streams import DEAD
from simulation.outside import Store
from simulation.world import World

_ENDS = frozenset({"succeeded", "failed", "cancelled"})
_NOTHING_ARCHIVED = VaultArchive((), ())


async def broken(world: World) -> list[str]:
    """List every claim that does not hold."""
    runs = await world.runs()
    return [
        *world.seen_wrong,
        *_processes_rested(world),
        *(text for run in runs for text in _run(world, run)),
        *(text for store in world.outside.stores.values() for text in _store(store, runs)),
        *await _catalog(world),
        *(text for run in runs for text in _wish(run, runs)),
        *await _audit(world, runs),
    ]


def _processes_rested(world: World) -> Iterator[str]:
    for one in world.applications:
        if one.snapshots:
            yield f"{one.app}: snapshots were left behind: {sorted(s.run for s in one.snapshots)}"
        if one.loaders:
            yield f"{one.app}: loader pods were left behind: {sorted(one.loaders)}"
    dead = world.bus.stored(DEAD)
    if dead:
        yield f"{len(dead)} messages were given up, such as {dead[0].subject}"


def _run(world: World, run: Run) -> Iterator[str]:
    if run.kind == "backup":
        stores = world.outside.stores.values()
        made = sum(store.ever[run.app_id, run.id] for store in stores if store.name == run.vault)
        unchanged = run.backup is not None and run.backup.unchanged > 0
        if run.state == "succeeded" and made != (0 if unchanged else 1):
            yield f"{run.id} succeeded and has made {made} versions, unchanged: {unchanged}"
        if unchanged and not run.only_if_changed:
            yield f"{run.id} has made no version, though somebody asked for one"
        if made > 1:
            yield f"{run.id} has made {made} versions"
    if run.kind == "restore" and run.state == "succeeded":
        one = world.outside.applications[run.app]
        if not one.restored[run.id]:
            yield f"{run.id} succeeded and has restored nothing"


def _wish(run: Run, runs: list[Run]) -> Iterator[str]:
    """Who asks for a version gets one, by whichever run, changed or not."""
    ends = {each.id: each for each in runs}
    last, passed = run, {run.id}
    while last.folded_into in ends:
        last = ends[last.folded_into]
        if last.id in passed:
            yield f"{run.id} is folded into itself: {sorted(passed)}"
            return
        passed.add(last.id)
    asked = run.kind == "backup" and run.trigger.kind == "manual"
    if asked and last.state == "succeeded" and last.version is None:
        yield f"{run.id} was asked for, and {last.id} made no version of it"


def _store(store: Store, runs: list[Run]) -> Iterator[str]:
    yield from (f"{store.name}: number used again, {text}" for text in store.numbers_used_again)
    if left := store.staged():
        yield f"{store.name}: staged content was left behind: {left}"
    for versions in store.versions.values():
        for version in versions.values():
            periods = {tree.partition("@")[2] for tree in version.trees if "@" in tree}
            if len(version.trees) != 3:
                yield f"version {version.number} holds {version.trees}"
            if version.consistency == "application" and (len(periods) != 1 or "0" in periods):
                yield (
                    f"version {version.number} of {version.run} says that its volumes are of one "
                    f"time of rest: {version.trees}"
                )


async def _catalog(world: World) -> list[str]:
    known = {(vault, each.facts.run) for each in await world.catalog() for vault in each.vaults}
    there = {
        (store.name, version.run)
        for store in world.outside.stores.values()
        for versions in store.versions.values()
        for version in versions.values()
    }
    lost = [
        f"the catalog does not know the version of {run} in {vault}" for vault, run in there - known
    ]
    phantom = [
        f"the catalog knows a version of {run} that {vault} has not" for vault, run in known - there
    ]
    return sorted(lost + phantom)


async def _audit(world: World, runs: list[Run]) -> list[str]:
    """One chain, everything in it once, and every run that ended told by how it did."""
    report = await verify(lines_of(world.bus), _NOTHING_ARCHIVED)
    wrong = [f"audit: {finding.what}" for finding in report.findings]
    events = [read_entry(line).event async for line in lines_of(world.bus)]
    twice = [one for one, count in Counter(event.id for event in events).items() if count > 1]
    wrong += [f"audit: {one} is in it twice" for one in twice]
    told = {(event.run, event.outcome) for event in events}
    ended = [run for run in runs if run.started_at and run.state in _ENDS]
    wrong += [
        f"audit: it does not say that {run.id} has {run.state}"
        for run in ended
        if (run.id, run.state) not in told
    ]
    return wrong
