"""A document with every default filled in: what the services work with.

`resolve` is pure and total: a document that passed `checking` always resolves. Durations become
seconds, the trigger becomes exactly one variant, and the revision names the content of the spec.
"""

import hashlib

import msgspec

from appshield.language import defaults
from appshield.language.component_spec import Component, Hook, HookPods, Volumes
from appshield.language.kinds import Application, Policy, Profile, Vault
from appshield.language.policy_spec import Alerts, Verify
from appshield.language.profiles import Profiles, shipped_profiles
from appshield.language.profiling import fill_in, origins_of, taken_profile
from appshield.language.protection import Blackout, Keep, Protection, Reaction, Trigger
from appshield.language.resolved import (
    ChangeTrigger,
    GateTrigger,
    HealthTrigger,
    ManualTrigger,
    ResolvedApplication,
    ResolvedBlackout,
    ResolvedComponent,
    ResolvedHook,
    ResolvedKeep,
    ResolvedObjectLock,
    ResolvedPolicy,
    ResolvedProbe,
    ResolvedProtection,
    ResolvedReaction,
    ResolvedResources,
    ResolvedSelector,
    ResolvedTrigger,
    ResolvedVault,
    ResolvedVerify,
    RpoTrigger,
    Schedule,
    SignalTrigger,
)
from appshield.language.resources import Resources, Selector
from appshield.language.values import rate, seconds
from appshield.language.vault_spec import ObjectLock


def resolve(application: Application, profiles: Profiles | None = None) -> ResolvedApplication:
    """Fill in everything that the document leaves open.

    Args:
        application: the document.
        profiles: what components may take their values from. Default: those that are shipped.
    """
    profiles = profiles or shipped_profiles()
    spec, metadata = application.spec, application.metadata
    application_type = spec.type or defaults.TYPE
    targets = spec.targets or (defaults.TARGET,)
    return ResolvedApplication(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        revision=revision(spec),
        labels=metadata.labels or {},
        annotations=metadata.annotations or {},
        type=application_type,
        criticality=spec.criticality or defaults.CRITICALITY,
        resources=_resources(spec.resources or Resources()),
        components=tuple(
            _component(part, application_type, taken_profile(part, spec, profiles))
            for part in spec.components
        ),
        images=spec.images or defaults.IMAGES,
        protect=tuple(resolve_protection(rule, targets) for rule in spec.protect),
        targets=targets,
        origins=origins_of(spec),
    )


def resolve_policy(policy: Policy) -> ResolvedPolicy:
    """Fill in everything that the policy's document leaves open."""
    spec, metadata = policy.spec, policy.metadata
    alerts = spec.alerts or Alerts()
    return ResolvedPolicy(
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        revision=revision(spec),
        match=spec.match,
        protect=tuple(resolve_protection(rule, spec.targets) for rule in spec.protect),
        react=tuple(_reaction(reaction) for reaction in spec.react),
        targets=spec.targets,
        verify=_verify(spec.verify) if spec.verify else None,
        rpo_alert_s=seconds(alerts.rpo) if alerts.rpo else 0,
        rto_alert_s=seconds(alerts.rto) if alerts.rto else 0,
    )


def resolve_vault(vault: Vault) -> ResolvedVault:
    """Fill in everything that the vault's document leaves open."""
    spec = vault.spec
    return ResolvedVault(
        name=vault.metadata.name,
        endpoint=spec.endpoint.rstrip("/"),
        bucket=spec.bucket,
        prefix=(spec.prefix or defaults.PREFIX).strip("/"),
        region=spec.region or defaults.REGION,
        addressing=spec.addressing or defaults.ADDRESSING,
        ca_secret=spec.ca_secret,
        credentials_secret=spec.credentials_secret,
        agent_credentials_secret=spec.agent_credentials_secret,
        key_secret=spec.key_secret,
        object_lock=_object_lock(spec.object_lock) if spec.object_lock else None,
        read_only=bool(spec.read_only),
    )


def _object_lock(lock: ObjectLock) -> ResolvedObjectLock:
    return ResolvedObjectLock(mode=lock.mode or defaults.LOCK_MODE, days=lock.days)


def resolve_protection(rule: Protection, targets: tuple[str, ...]) -> ResolvedProtection:
    """Fill in one rule; `targets` are those of the document it stands in."""
    trigger = rule.on
    return ResolvedProtection(
        name=rule.name,
        trigger=resolve_trigger(trigger),
        keep=None if rule.keep is None else resolve_keep(rule.keep),
        keep_in={vault: resolve_keep(keep) for vault, keep in rule.keep_in.items()},
        targets=rule.targets or targets,
        settle_s=seconds(trigger.settle) if trigger.settle else 0,
        at_most=rate(trigger.at_most) if trigger.at_most else None,
        blackout=tuple(_blackout(window) for window in trigger.blackout),
        priority=defaults.PRIORITY if trigger.priority is None else trigger.priority,
    )


def resolve_trigger(trigger: Trigger) -> ResolvedTrigger:
    """Return the one variant that the trigger names."""
    made: ResolvedTrigger = ManualTrigger()
    if trigger.schedule is not None:
        made = Schedule(
            cron=trigger.schedule,
            timezone=trigger.timezone or defaults.TIMEZONE,
            jitter_s=seconds(trigger.jitter) if trigger.jitter else 0,
            missed=trigger.missed or defaults.MISSED,
        )
    elif trigger.rpo is not None:
        made = RpoTrigger(age_s=seconds(trigger.rpo))
    elif trigger.change is not None:
        made = ChangeTrigger(of=trigger.change.of, when=trigger.change.when or "")
    elif trigger.signal is not None:
        made = SignalTrigger(signal=trigger.signal, when=trigger.when or "")
    elif trigger.health is not None:
        made = HealthTrigger(becomes=trigger.health)
    elif trigger.gate is not None:
        made = GateTrigger(before=trigger.gate.before)
    return made


def resolve_keep(keep: Keep) -> ResolvedKeep:
    """Return the counts, zero where the document says nothing."""
    return ResolvedKeep(
        last=keep.last or 0,
        hourly=keep.hourly or 0,
        daily=keep.daily or 0,
        weekly=keep.weekly or 0,
        monthly=keep.monthly or 0,
        yearly=keep.yearly or 0,
        within_s=seconds(keep.within) if keep.within else 0,
    )


def revision(spec: msgspec.Struct) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of a spec."""
    return hashlib.sha256(msgspec.json.encode(spec, order="deterministic")).hexdigest()


def _reaction(reaction: Reaction) -> ResolvedReaction:
    return ResolvedReaction(
        when=reaction.when,
        do=reaction.do,
        lasts_s=seconds(reaction.lasts) if reaction.lasts else 0,
        at_most=rate(reaction.at_most) if reaction.at_most else None,
    )


def _verify(verify: Verify) -> ResolvedVerify:
    return ResolvedVerify(
        schedule=Schedule(cron=verify.schedule, timezone=verify.timezone or defaults.TIMEZONE),
        probes=tuple(
            ResolvedProbe(
                component=probe.component,
                command=probe.command,
                timeout_s=seconds(probe.timeout or defaults.HOOK_TIMEOUT),
            )
            for probe in verify.probes
        ),
    )


def _resources(resources: Resources) -> ResolvedResources:
    return ResolvedResources(
        selector=_selector(resources.selector),
        objects=resources.objects,
        include=resources.include,
        exclude=resources.exclude,
        follow=defaults.FOLLOW if resources.follow is None else resources.follow,
    )


def _selector(selector: Selector | None) -> ResolvedSelector | None:
    if selector is None:
        return None
    return ResolvedSelector(
        match_labels=dict(selector.match_labels), match_expressions=selector.match_expressions
    )


def _component(
    written: Component, application_type: str, profile: Profile | None
) -> ResolvedComponent:
    component, origins = fill_in(written, profile)
    volumes = component.volumes or Volumes()
    return ResolvedComponent(
        name=component.name,
        workload=component.workload,
        profile=component.profile or application_type,
        strategy=component.strategy or ("none" if component.data_of else defaults.STRATEGY),
        quiesce=_hook(component.quiesce, defaults.HOOK_TIMEOUT, defaults.HOOK_PODS),
        resume=_hook(component.resume, defaults.HOOK_TIMEOUT, defaults.HOOK_PODS),
        dump=_hook(component.dump, defaults.COPY_TIMEOUT, defaults.COPY_PODS),
        load=_hook(component.load, defaults.COPY_TIMEOUT, defaults.COPY_PODS),
        volume_method=volumes.method or defaults.VOLUME_METHOD,
        excluded_volumes=volumes.exclude,
        volume_selector=_selector(volumes.selector),
        single_volume=defaults.SINGLE_VOLUME if volumes.single is None else volumes.single,
        data_of=component.data_of or "",
        allow_live=defaults.ALLOW_LIVE if component.allow_live is None else component.allow_live,
        origins=origins,
    )


def _hook(hook: Hook | None, timeout: str, pods: HookPods) -> ResolvedHook | None:
    if hook is None:
        return None
    return ResolvedHook(
        command=hook.command,
        container=hook.container or "",
        timeout_s=seconds(hook.timeout or timeout),
        on_error=hook.on_error or defaults.HOOK_ON_ERROR,
        pods=hook.pods or pods,
    )


def _blackout(window: Blackout) -> ResolvedBlackout:
    opens = Schedule(cron=window.schedule, timezone=window.timezone or defaults.TIMEZONE)
    return ResolvedBlackout(opens=opens, lasts_s=seconds(window.lasts))
