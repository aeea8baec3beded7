"""Which objects belong to an application, as a document says it: labels, names, kinds."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appshield.language import defaults
from appshield.language.protection import Part
from appshield.language.values import KindPattern, Text

KindName = Annotated[
    str,
    Meta(
        description="Its kind, such as StatefulSet or Deployment.",
        pattern="^[A-Z][A-Za-z0-9]*$",
        max_length=63,
        extra={"means": "a kind such as StatefulSet"},
    ),
]


class Requirement(Part, frozen=True, kw_only=True):
    """One condition on a label."""

    key: Annotated[Text, Meta(description="The label's key.")]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"], Meta(description="How it is compared.")
    ]
    values: Annotated[
        tuple[str, ...], Meta(description="For In and NotIn: the values.", max_length=256)
    ] = ()


class Selector(Part, frozen=True, kw_only=True):
    """A label selector: every condition must hold."""

    match_labels: Annotated[dict[str, str], Meta(description="Labels and their values.")] = (
        msgspec.field(default_factory=dict)
    )
    match_expressions: Annotated[
        tuple[Requirement, ...], Meta(description="Conditions on labels.", max_length=64)
    ] = ()


class NamedObject(Part, frozen=True, kw_only=True):
    """One object of the application's namespace, by its name."""

    group: Annotated[
        str,
        Meta(
            description="Its API group, such as apps. Default: the core group.",
            pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$",
            max_length=253,
            extra={"means": "an API group such as apps"},
        ),
    ] = ""
    kind: KindName
    name: Annotated[
        str,
        Meta(
            description="Its name.",
            pattern="^[A-Za-z0-9]([-A-Za-z0-9.:_]*[A-Za-z0-9])?$",
            max_length=253,
            extra={"means": "the name of an object"},
        ),
    ]


class Resources(Part, frozen=True, kw_only=True):
    """Which objects belong to the application."""

    selector: Annotated[
        Selector | None,
        Meta(
            description="Labels of the objects. Default: every object of the namespace, or only "
            "the named ones where objects are named."
        ),
    ] = None
    objects: Annotated[
        tuple[NamedObject, ...],
        Meta(description="These very objects, whatever their labels.", max_length=4096),
    ] = ()
    include: Annotated[
        tuple[KindPattern, ...],
        Meta(
            description="Only these kinds are selected, such as deployments.apps or *.acme.io. "
            "Default: all kinds.",
            max_length=256,
        ),
    ] = ()
    exclude: Annotated[
        tuple[KindPattern, ...],
        Meta(description="These kinds never belong to it.", max_length=256),
    ] = ()
    follow: Annotated[
        bool | None,
        Meta(
            description="Take in what members refer to (Secrets, ConfigMaps, volumes, service "
            "accounts and their rights), their owners, and the state that operators keep for their "
            f"custom resources. Default {str(defaults.FOLLOW).lower()}."
        ),
    ] = None
