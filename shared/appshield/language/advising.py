"""What is legal in a document and probably not meant: one warning for each, none a refusal.

Pure: the time, and how long backups and restores take, are passed in. What needs other documents
to be seen is `advising_together`'s.
"""

import difflib
import math
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, get_args

from appshield.language.advising_rules import advise_rule, period_s
from appshield.language.component_spec import RUNNABLE, Component, Strategy
from appshield.language.expression_values import AppFacts
from appshield.language.expressions import MATCH, REACTION
from appshield.language.kinds import Application, Policy, Resource, Restore, Vault
from appshield.language.policy_spec import PolicySpec
from appshield.language.problems import Path, Problem
from appshield.language.profiles import shipped_profiles
from appshield.language.protection import Health, Protection, Reaction
from appshield.language.resolving import resolve, resolve_trigger
from appshield.language.values import duration, seconds

CRITICALITIES = ("bronze", "silver", "gold", "platinum")
HEALTHS = (*get_args(Health), "Unknown")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod")
TYPE_GROUPS = ("database", "cache", "search", "queue")
"""What types begin with by convention; any other beginning is as good."""

_ANY_APPLICATION = AppFacts(
    name="",
    namespace="",
    namespace_labels={},
    type="",
    criticality="",
    labels={},
    annotations={},
    components=(),
    volumes=(),
)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Took(NamedTuple):
    """How long backups and restores take that a document is about, in seconds; 0: nobody knows."""

    backup_s: float = 0
    restore_s: float = 0


NOBODY_KNOWS = Took()


def advise(resource: Resource, now: datetime, *, took: Took = NOBODY_KNOWS) -> Iterator[Problem]:
    """Yield what is probably not meant in a document."""
    spec: Path = ("spec",)
    match resource:
        case Application():
            yield from _application(resource, spec)
            yield from _rules(resource.spec.protect, spec, now, took.backup_s)
        case Policy():
            yield from _match(resource.spec.match, (*spec, "match"))
            yield from _rules(resource.spec.protect, spec, now, took.backup_s)
            yield from _promises(resource.spec, spec, now, took)
            for index, reaction in enumerate(resource.spec.react):
                yield from _reaction(reaction, (*spec, "react", index))
        case Vault():
            yield from _vault(resource, spec)
        case Restore():
            yield from _choice(resource.spec.version, (*spec, "version"))
        case _:
            return


def _match(match: str, path: Path) -> Iterator[Problem]:
    """Warn of an expression that no application can fit; a wrong one is refused elsewhere."""
    if MATCH.condition(match).is_never_true(MATCH.values(app=_ANY_APPLICATION)):
        yield Problem(path, "is never true: no application matches", "compare what can be so")


def notes(resource: Resource) -> Iterator[Problem]:
    """Yield what who chose it has to know, and what nothing in the document can change."""
    if not isinstance(resource, Application):
        return
    for index, component in enumerate(resource.spec.components):
        type_ = component.profile or resource.spec.type or ""
        profile = shipped_profiles().of(type_)
        if profile is not None and not profile.spec.proved:
            path = ("spec", "components", index)
            where = (*path, "profile") if component.profile else path
            wrong = f"the profile {type_} was not proved against the real server"
            yield Problem(where, wrong, "try a restore before you rely on it")


def _rules(
    rules: tuple[Protection, ...], path: Path, now: datetime, backup_takes_s: float
) -> Iterator[Problem]:
    for index, rule in enumerate(rules):
        at = (*path, "protect", index)
        yield from advise_rule(rule, at, now, backup_takes_s=backup_takes_s)


def _application(application: Application, path: Path) -> Iterator[Problem]:
    spec = application.spec
    if spec.criticality:
        yield from _misspelt(spec.criticality, CRITICALITIES, (*path, "criticality"))
    if spec.type:
        yield from _misspelt(spec.type.partition("/")[0], TYPE_GROUPS, (*path, "type"))
    resources = spec.resources
    for index, pattern in enumerate(resources.include if resources else ()):
        if resources and pattern in resources.exclude:
            at = (*path, "resources", "include", index)
            yield Problem(at, "is excluded as well", "remove it here or under exclude")
    for index, (component, resolved) in enumerate(
        zip(spec.components, resolve(application).components, strict=True)
    ):
        yield from _component(component, resolved.strategy, (*path, "components", index))


def _misspelt(given: str, known: tuple[str, ...], path: Path) -> Iterator[Problem]:
    near = difflib.get_close_matches(given[:80].lower(), known, n=1, cutoff=0.75)
    if near and given not in known:
        wrong = f"{given[:40]!r} is nearly {near[0]!r}, and policies tell them apart"
        yield Problem(path, wrong, f"did you mean {near[0]}?")


def _component(component: Component, strategy: Strategy, path: Path) -> Iterator[Problem]:
    if component.profile:
        yield from _nearly_shipped(component.profile, (*path, "profile"))
    yield from _workload(component, (*path, "workload", "kind"))
    method = component.volumes.method if component.volumes else None
    # A profile that is not shipped may say another strategy than the default.
    known = component.strategy or not component.profile or shipped_profiles().of(component.profile)
    if component.dump and known and strategy != "dump":
        volumes = "is never loaded unless asked for: a restore takes the volumes"
        wrong = "is never taken: no data is saved" if strategy == "none" else volumes
        yield Problem((*path, "dump"), wrong, "say strategy: dump, or remove dump and load")
    if component.quiesce and strategy == "none":
        yield Problem((*path, "quiesce"), "never runs: no data is saved", "choose a strategy")
    if component.quiesce and strategy == "dump":
        wrong = "holds the application although no snapshot is taken"
        yield Problem((*path, "quiesce"), wrong, "remove quiesce and resume: a dump needs none")
    if component.quiesce and method == "files" and strategy not in ("dump", "none"):
        wrong = "is over before the files are read"
        yield Problem((*path, "quiesce"), wrong, "let volumes.method be snapshot or auto")
    if component.resume and not component.quiesce:
        yield Problem((*path, "resume"), "never runs: there is no quiesce", "add quiesce")
    if component.volumes and strategy in ("dump", "none"):
        wrong = f"has no effect: strategy {strategy} reads no volumes"
        yield Problem((*path, "volumes"), wrong, "remove it, or choose another strategy")


def _nearly_shipped(profile: str, path: Path) -> Iterator[Problem]:
    """A profile of one's own may have any name; one that is nearly that of another is a slip."""
    shipped = [one.spec.type for one in shipped_profiles().all()]
    near = difflib.get_close_matches(profile[:80], shipped, n=1, cutoff=0.85)
    if near and profile not in shipped:
        wrong = f"{profile[:40]!r} is no profile that is shipped, and nearly {near[0]!r}"
        yield Problem(path, wrong, f"did you mean {near[0]}?")


def _workload(component: Component, path: Path) -> Iterator[Problem]:
    """The volumes of anything can be read; commands run where pods are found by their labels."""
    kind = component.workload.kind
    near = next((one for one in WORKLOADS if one.lower() == kind.lower()), kind)
    runs = component.quiesce or component.resume or component.dump or component.load
    if near != kind:
        yield Problem(path, f"{kind[:40]!r} is no kind of Kubernetes", f"did you mean {near}?")
    elif runs and kind not in RUNNABLE:
        wrong = f"its commands cannot run: they run in pods of {', '.join(RUNNABLE)}"
        yield Problem(path, wrong, "name what an operator makes for it, or remove the commands")


def _promises(spec: PolicySpec, path: Path, now: datetime, took: Took) -> Iterator[Problem]:
    """An alert that is due although everything does as it says."""
    if spec.alerts is None:
        return
    if spec.alerts.rto is not None and seconds(spec.alerts.rto) < took.restore_s:
        takes = duration(math.ceil(took.restore_s))
        wrong = f"is shorter than the last restore, which took {takes}"
        yield Problem((*path, "alerts", "rto"), wrong, "allow more time")
    if spec.alerts.rpo is None:
        return
    promised_s = seconds(spec.alerts.rpo)
    at = (*path, "alerts", "rpo")
    if promised_s < took.backup_s:
        takes = duration(round(took.backup_s))
        yield Problem(at, f"is shorter than a backup, which takes {takes}", "allow more time")
    periods = [period_s(resolve_trigger(rule.on), now) for rule in spec.protect]
    if periods and all(periods) and min(periods) > promised_s:
        every = duration(min(periods))
        wrong = f"is broken all the time: the rules make a version every {every} at best"
        yield Problem(at, wrong, f"let a rule have rpo: {spec.alerts.rpo}")


def _reaction(reaction: Reaction, path: Path) -> Iterator[Problem]:
    do = (*path, "do")
    for variable, text in REACTION.condition(reaction.when).compared:
        if variable == "health" and text not in HEALTHS:
            wrong = f"health is never {text[:40]!r}"
            yield Problem((*path, "when"), wrong, f"compare it with one of {', '.join(HEALTHS)}")
    restore, notify = reaction.do.restore, reaction.do.notify
    if restore is not None:
        yield from _choice(restore.version, (*do, "restore", "version"))
        if restore.approve == "auto" and reaction.lasts is None:
            wrong = "restores at the first sign, without anybody's approval"
            yield Problem((*do, "restore"), wrong, "add for, such as for: 5m")
        if restore.approve == "auto" and reaction.at_most is None:
            wrong = "restores as often as the reason comes back"
            yield Problem((*do, "restore"), wrong, "add atMost, such as atMost: 1/1d")
    if notify is not None and notify.webhook and notify.webhook.startswith("http://"):
        yield Problem((*do, "notify", "webhook"), "sends in the clear", "use an https address")


def _choice(version: str, path: Path) -> Iterator[Problem]:
    if version == "last-verified":
        wrong = "does nothing yet: this release verifies no version"
        yield Problem(path, wrong, "say last-good")


def _vault(vault: Vault, path: Path) -> Iterator[Problem]:
    endpoint = vault.spec.endpoint
    host = endpoint.removeprefix("http://")
    if host != endpoint and not host.startswith(_LOOPBACK):
        wrong = "names every object to whoever listens: the connection is not encrypted"
        yield Problem((*path, "endpoint"), wrong, "use an https address")
