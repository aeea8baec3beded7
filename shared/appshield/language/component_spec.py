"""A component as written: what runs it, and how its data is made consistent and read."""

from typing import Annotated, Literal

from msgspec import Meta

from appshield.language import defaults
from appshield.language.protection import Part
from appshield.language.resources import KindName, Selector
from appshield.language.values import Command, Duration, Label, ObjectName, Text

Strategy = Literal["snapshot", "one-replica", "dump", "none"]
VolumeMethod = Literal["auto", "snapshot", "files"]
OnError = Literal["fail", "continue"]
HookPods = Literal["any", "all", "leader"]
RUNNABLE = ("StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "Job")
"""Kinds of workloads in whose pods commands run, as `appshield.podvolumes` finds them."""


class Workload(Part, frozen=True, kw_only=True):
    """The workload that runs a component."""

    kind: KindName
    name: Annotated[ObjectName, Meta(description="Its name.")]


class Hook(Part, frozen=True, kw_only=True):
    """A command that runs in the component's pods."""

    command: Command
    container: Annotated[
        Label | None, Meta(description="The container. Default: the pod's first one.")
    ] = None
    timeout: Annotated[
        Duration | None,
        Meta(
            description=f"How long it may take. Default {defaults.HOOK_TIMEOUT} for quiesce and "
            f"resume, {defaults.COPY_TIMEOUT} for dump and load."
        ),
    ] = None
    on_error: Annotated[
        OnError | None,
        Meta(
            description="fail ends the backup, continue goes on with weaker consistency. "
            f"Default {defaults.HOOK_ON_ERROR}."
        ),
    ] = None
    pods: Annotated[
        HookPods | None,
        Meta(
            description=f"In which pods. Default {defaults.HOOK_PODS} for quiesce and resume, "
            f"{defaults.COPY_PODS} for dump and load."
        ),
    ] = None


class Volumes(Part, frozen=True, kw_only=True):
    """How the component's volumes are read."""

    method: Annotated[
        VolumeMethod | None,
        Meta(
            description="snapshot: a point in time; files: read while in use; auto: a snapshot "
            f"where the driver can make one. Default {defaults.VOLUME_METHOD}."
        ),
    ] = None
    exclude: Annotated[
        tuple[Text, ...],
        Meta(
            description="Volumes that are left out, by their name in the pod or their claim.",
            max_length=64,
        ),
    ] = ()
    single: Annotated[
        bool | None,
        Meta(
            description="true: data and log must lie on one volume of each pod, as snapshots of "
            f"several are not of one instant. Default {str(defaults.SINGLE_VOLUME).lower()}."
        ),
    ] = None
    selector: Annotated[
        Selector | None,
        Meta(description="Labels of the claims that are read. Default: all of the component's."),
    ] = None


class Component(Part, frozen=True, kw_only=True):
    """A part of the application with state of its own."""

    name: Annotated[Label, Meta(description="The component's name, unique in the document.")]
    workload: Annotated[Workload, Meta(description="What runs it.")]
    profile: Annotated[
        Text | None,
        Meta(
            description="Its type, such as database/postgresql; what the component leaves open is "
            "taken from the profile of that type. Default: the application's type."
        ),
    ] = None
    strategy: Annotated[
        Strategy | None,
        Meta(
            description="snapshot: the volumes of every replica; one-replica: those of one; dump: "
            f"the output of a command and no volumes; none: no data. Default {defaults.STRATEGY}."
        ),
    ] = None
    quiesce: Annotated[
        Hook | None, Meta(description="Makes the data consistent; needs a resume.")
    ] = None
    resume: Annotated[Hook | None, Meta(description="Ends the quiesce; runs whatever happens.")] = (
        None
    )
    dump: Annotated[
        Hook | None, Meta(description="Writes the data to its standard output; needs a load.")
    ] = None
    load: Annotated[
        Hook | None,
        Meta(
            description="Reads a dump from its standard input. Without a dump it runs once the "
            "volumes are back and the workload is ready, with nothing to read. After an "
            "interruption it runs again from the start, so it must be able to begin anew."
        ),
    ] = None
    volumes: Annotated[Volumes | None, Meta(description="How its volumes are read.")] = None
    data_of: Annotated[
        Label | None,
        Meta(
            description="A restore fills its volumes with the data of this other component, such "
            "as a replica in a workload of its own; nothing of its own volumes is saved."
        ),
    ] = None
    allow_live: Annotated[
        bool | None,
        Meta(
            description="Accept that a database's files are read while it writes to them. "
            f"Default {str(defaults.ALLOW_LIVE).lower()}."
        ),
    ] = None
