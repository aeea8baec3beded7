"""What a Policy says: who gets which protection, reactions, verification and alerts."""

from typing import Annotated

from msgspec import Meta

from appshield.language import defaults
from appshield.language.protection import Part, Protection, Reaction
from appshield.language.values import Command, Cron, Duration, Expression, Label, TimeZone


class Probe(Part, frozen=True, kw_only=True):
    """A command that says whether a restored copy is good."""

    component: Annotated[Label, Meta(description="In whose pods it runs.")]
    command: Command
    timeout: Annotated[
        Duration | None,
        Meta(description=f"How long it may take. Default {defaults.HOOK_TIMEOUT}."),
    ] = None


class Verify(Part, frozen=True, kw_only=True):
    """When versions are verified, by restoring a copy of them."""

    schedule: Annotated[Cron, Meta(description="Cron with five fields, or @weekly and so on.")]
    timezone: Annotated[
        TimeZone | None,
        Meta(description=f"IANA time zone of the schedule. Default {defaults.TIMEZONE}."),
    ] = None
    probes: Annotated[
        tuple[Probe, ...], Meta(description="Commands that must succeed.", max_length=32)
    ] = ()


class Alerts(Part, frozen=True, kw_only=True):
    """What is promised about recovery: people are told where it does not hold."""

    rpo: Annotated[Duration | None, Meta(description="The newest version is older than this.")] = (
        None
    )
    rto: Annotated[
        Duration | None,
        Meta(description="A restore of the whole application takes longer than this."),
    ] = None


class PolicySpec(Part, frozen=True, kw_only=True):
    """Which applications get which protection."""

    match: Annotated[
        Expression,
        Meta(
            description="CEL over `app`: who gets this policy. It has name, namespace, "
            "namespaceLabels, type, criticality, labels, annotations, components (each with name, "
            "profile, strategy, workloadKind, workloadName) and volumes (each with claim, "
            "storageClass, sizeBytes)."
        ),
    ]
    protect: Annotated[
        tuple[Protection, ...], Meta(description="Rules for each of them.", max_length=64)
    ] = ()
    react: Annotated[
        tuple[Reaction, ...],
        Meta(description="Facts that are watched, with actions.", max_length=64),
    ] = ()
    targets: Annotated[
        tuple[Label, ...], Meta(description="Vaults to write to.", max_length=8)
    ] = ()
    verify: Annotated[Verify | None, Meta(description="When versions are verified.")] = None
    alerts: Annotated[Alerts | None, Meta(description="When people are told.")] = None
