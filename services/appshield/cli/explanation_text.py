"""An explanation as text for people. Pure: the same lines for the same explanation."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from appshield.cli.next_runs import next_runs_text
from appshield.doors.explanation import Contents, Explanation, Line, Rule
from appshield.language import defaults
from appshield.language.effective import EffectiveProtection
from appshield.language.protection import Action
from appshield.language.resolved import ResolvedComponent, ResolvedHook, ResolvedReaction
from appshield.language.values import duration
from appshield.manifests.selecting import described

_NAMED_MAX = 4
_COMMAND_CHARACTERS_MAX = 100
_ALERTS = {
    "rpo": "the newest version is older than",
    "rto": "a restore takes longer than",
}


def text_of(found: Explanation) -> Iterator[str]:
    """Write an explanation for people."""
    application, origins = found.application, found.application.origins
    yield f"application {application.namespace}/{application.name}"
    yield from _fields(
        ("document", found.document),
        ("revision", application.revision[:12]),
        ("type", f"{application.type} ({origins['type']})"),
        ("criticality", f"{application.criticality} ({origins['criticality']})"),
        ("images", f"{application.images} ({origins['images']})"),
        ("targets", _targets(found)),
        ("follow", f"{_word(application.resources.follow)} ({origins['resources.follow']})"),
    )
    for part in application.components:
        yield from ("", f"component {part.name}: {part.workload.kind} {part.workload.name}")
        yield from _fields(*_component(part, found.profiles[part.name]))
    if found.protection is not None:
        yield from _policies(found.protection)
    for rule in found.rules:
        yield from ("", f"rule {rule.name} (of the {rule.origin})")
        yield from _fields(*_rule(rule))
    if not found.rules:
        yield from ("", "no rule makes versions of it by itself: only when somebody asks")
    if found.contents is not None:
        yield from _contents(found.contents)
    yield from _verdict(found)


def _targets(found: Explanation) -> str:
    protection, origins = found.protection, found.application.origins
    if protection is None or not protection.targets_from:
        return f"{', '.join(found.application.targets)} ({origins['targets']})"
    return f"{', '.join(protection.targets)} (policy {', '.join(protection.targets_from)})"


def _policies(protection: EffectiveProtection) -> Iterator[str]:
    for match in protection.policies:
        yield from ("", f"policy {match.policy} {match.outcome}: {match.why}")
    asked = [
        *(f"reacts ({one.policy}): {_reaction(one.reaction)}" for one in protection.reactions),
        *(
            f"verifies ({one.policy}): {one.verify.schedule.cron} ({one.verify.schedule.timezone})"
            ", which this release does not do yet"
            for one in protection.verifications
        ),
        *(
            f"alerts ({one.policy}): {_ALERTS[one.about]} {duration(one.promised_s)}"
            for one in protection.alerts
        ),
    ]
    told = [f"note: {finding.text}" for finding in protection.findings]
    if asked or told:
        yield ""
    yield from (*asked, *told)


def _reaction(reaction: ResolvedReaction) -> str:
    lasting = f" for {duration(reaction.lasts_s)}" if reaction.lasts_s else ""
    limit = reaction.at_most
    often = f", at most {limit.count} in {duration(limit.window_s)}" if limit is not None else ""
    return f"{_action(reaction.do)} when {reaction.when}{lasting}{often}"


def _action(do: Action) -> str:
    """Say what is done. The address of a webhook is not shown: some hold a password."""
    text = "backup"
    if do.restore is not None:
        where = f" to {do.restore.to}" if do.restore.to else ""
        asks = (do.restore.approve or defaults.REACTION_APPROVAL) == "manual"
        text = f"restore {do.restore.version}{where}{' after approval' if asks else ''}"
    if do.notify is not None:
        signal = f"signal {do.notify.signal}" if do.notify.signal else ""
        webhook = "a webhook" if do.notify.webhook else ""
        text = f"notify by {' and '.join(filter(None, (signal, webhook)))}"
    if do.pause is not None:
        text = f"pause for {do.pause.lasts}" if do.pause.lasts else "pause"
    return text


def _component(part: ResolvedComponent, profile: str) -> Iterator[tuple[str, str]]:
    origins = part.origins
    yield "profile", f"{part.profile} ({origins['profile']}): {profile}"
    if part.data_of:
        yield "data", f"that of {part.data_of} (document)"
    yield "strategy", f"{part.strategy} ({origins['strategy']})"
    hooks = (("quiesce", part.quiesce), ("resume", part.resume))
    for name, hook in (*hooks, ("dump", part.dump), ("load", part.load)):
        if hook is not None:
            yield name, f"{_hook(hook)} ({origins[name]})"
    yield "volumes", f"{part.volume_method} ({origins['volumes.method']})"
    if part.volume_selector is not None:
        yield "only those", f"{described(part.volume_selector)} (document)"
    if part.excluded_volumes:
        yield "left out", f"{', '.join(part.excluded_volumes)} ({origins['volumes.exclude']})"
    yield "one volume", f"{_word(part.single_volume)} ({origins['volumes.single']})"
    yield "live", f"{_word(part.allow_live)} ({origins['allowLive']})"


def _hook(hook: ResolvedHook) -> str:
    command = " ".join(" ".join(hook.command).split())
    cut = len(command) > _COMMAND_CHARACTERS_MAX
    shown = f"{command[:_COMMAND_CHARACTERS_MAX]}..." if cut else command
    where = hook.container or "the first container"
    failing = "" if hook.on_error == "fail" else ", goes on when it fails"
    return f"{shown} | in {where} of {hook.pods}, {duration(hook.timeout_s)}{failing}"


def _rule(rule: Rule) -> Iterator[tuple[str, str]]:
    yield "when", rule.when
    if text := next_runs_text(rule.next_runs):
        yield "next", text
    yield "keeps", rule.keeps
    yield "targets", ", ".join(rule.targets)


def _contents(contents: Contents) -> Iterator[str]:
    counts = ", ".join(
        f"{len(lines)} {name}{'' if len(lines) == 1 else 's'}"
        for name, lines in (
            ("object", contents.objects),
            ("volume", contents.volumes),
            ("dump", contents.dumps),
        )
    )
    told = f"; consistency: {contents.consistency}" if contents.consistency else ""
    yield from ("", f"a version would hold {counts}{told}")
    for line in (*contents.volumes, *contents.dumps, *contents.objects):
        yield f"  {line.name}: {line.why}"
    yield from ("", "it would not hold")
    yield from _grouped(contents.skipped)


def _grouped(lines: Iterable[Line]) -> Iterator[str]:
    """Say each reason once for all things of a kind."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in lines:
        kind, _, name = line.name.partition(" ")
        groups[kind, line.why].append(name)
    for (kind, why), names in sorted(groups.items()):
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        yield f"  {kind} {', '.join(sorted(names)[:_NAMED_MAX])}{more}: {why}"


def _verdict(found: Explanation) -> Iterator[str]:
    yield ""
    if found.ready is None:
        yield "whether it is ready to be backed up was not asked: that needs the cluster"
    elif found.ready:
        yield "it is ready to be backed up"
    else:
        yield "it is not ready to be backed up"
    yield from (f"  missing: {text}" for text in found.missing)
    yield from (f"  warning: {text}" for text in found.warnings)


def _fields(*fields: tuple[str, str]) -> Iterator[str]:
    width = max(len(name) for name, _ in fields)
    for name, text in fields:
        yield f"  {name.ljust(width)}  {text}"


def _word(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "yes" if value else "no"
