"""What expressions see: the values that stand behind `app`, `health`, `rpo` and so on.

One frozen type for each; its fields in camelCase are the attributes that an expression may name, so
that what does not exist is found when a document is applied. Durations and times are CEL's own.
"""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta


class Facts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Values that an expression may name."""


class ComponentFacts(Facts, frozen=True, kw_only=True):
    """A component of the application."""

    name: Annotated[str, Meta(description="The component's name.")]
    profile: Annotated[str, Meta(description="Its type, such as database/postgresql.")]
    strategy: Annotated[str, Meta(description="snapshot, one-replica, dump or none.")]
    workload_kind: Annotated[str, Meta(description="The kind of its workload.")]
    workload_name: Annotated[str, Meta(description="The name of its workload.")]


class VolumeFacts(Facts, frozen=True, kw_only=True):
    """A volume of the application."""

    claim: Annotated[str, Meta(description="The name of its claim.")]
    storage_class: Annotated[str, Meta(description="Its storage class; empty without one.")]
    size_bytes: Annotated[int, Meta(description="What the claim asks for, in bytes.")]


class AppFacts(Facts, frozen=True, kw_only=True):
    """An application, with every default of its document filled in."""

    name: Annotated[str, Meta(description="Its name.")]
    namespace: Annotated[str, Meta(description="Its namespace.")]
    namespace_labels: Annotated[dict[str, str], Meta(description="Labels of its namespace.")]
    type: Annotated[str, Meta(description="Such as database/postgresql.")]
    criticality: Annotated[str, Meta(description="Such as gold.")]
    labels: Annotated[dict[str, str], Meta(description="Labels of its document.")]
    annotations: Annotated[dict[str, str], Meta(description="Annotations of its document.")]
    components: Annotated[tuple[ComponentFacts, ...], Meta(description="Its components.")]
    volumes: Annotated[tuple[VolumeFacts, ...], Meta(description="Its volumes.")]


class RpoFacts(Facts, frozen=True, kw_only=True):
    """How much would be lost now."""

    age: Annotated[timedelta, Meta(description="Age of the newest version.")]
    promise: Annotated[timedelta, Meta(description="The age that `alerts.rpo` allows.")]


class LastBackupFacts(Facts, frozen=True, kw_only=True):
    """The newest version; without one `version` is 0."""

    version: Annotated[int, Meta(description="Its number.")]
    at: Annotated[datetime, Meta(description="When it was cut.")]
    age: Annotated[timedelta, Meta(description="How long ago that was.")]
