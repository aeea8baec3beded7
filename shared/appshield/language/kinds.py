"""The kinds of documents: Application, Policy, Profile, Vault, Backup, Restore, as written.

Field for field the documents of `appshield.io/v1alpha1`, from which the custom resource definitions
and the reference page are made. A field that was left out is None, False-like or empty here; what
holds then is filled in by `resolving`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appshield.language import defaults
from appshield.language.commands import BackupSpec, RestoreSpec
from appshield.language.component_spec import Component, Hook, Strategy, Volumes
from appshield.language.policy_spec import PolicySpec
from appshield.language.protection import Part, Protection
from appshield.language.resources import Resources
from appshield.language.values import Expression, KindPattern, Label, ObjectName, Text
from appshield.language.vault_spec import VaultSpec

GROUP = "appshield.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Images = Literal["pin", "archive"]


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The metadata of a document; what the API server adds beyond these is passed over."""

    name: Annotated[ObjectName, Meta(description="The object's name.")]
    namespace: Annotated[
        str, Meta(description="Its namespace; Policies, Profiles and Vaults stand in none.")
    ] = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    deletion_timestamp: str | None = None
    labels: Annotated[
        dict[str, str] | None, Meta(description="Labels; policies match on them.")
    ] = None
    annotations: Annotated[
        dict[str, str] | None, Meta(description="Annotations; policies match on them.")
    ] = None


class ApplicationSpec(Part, frozen=True, kw_only=True):
    """What the application is, what of it is state, and how it is protected."""

    type: Annotated[
        Text | None,
        Meta(
            description="Such as database/postgresql or web; policies match on it. "
            f"Default {defaults.TYPE}."
        ),
    ] = None
    criticality: Annotated[
        Text | None,
        Meta(
            description="bronze, silver, gold, platinum, or a name of your own; policies match on "
            f"it. Default {defaults.CRITICALITY}."
        ),
    ] = None
    resources: Annotated[
        Resources | None, Meta(description="Which objects belong to the application.")
    ] = None
    components: Annotated[
        tuple[Component, ...],
        Meta(description="Parts with state of their own.", max_length=64),
    ] = ()
    images: Annotated[
        Images | None,
        Meta(
            description="pin: digests of the running images; archive: their layers too. "
            f"Default {defaults.IMAGES}."
        ),
    ] = None
    protect: Annotated[
        tuple[Protection, ...],
        Meta(description="When it is saved, and how long versions stay.", max_length=64),
    ] = ()
    targets: Annotated[
        tuple[Label, ...],
        Meta(description=f"Vaults to write to. Default [{defaults.TARGET}].", max_length=8),
    ] = ()


class Application(Part, frozen=True, kw_only=True):
    """An application, what of it is state, and when it is saved."""

    api_version: Literal["appshield.io/v1alpha1"]
    kind: Literal["Application"]
    metadata: ObjectMeta
    spec: Annotated[ApplicationSpec, Meta(description="What the application is.")]


class Vault(Part, frozen=True, kw_only=True):
    """A target for versions."""

    api_version: Literal["appshield.io/v1alpha1"]
    kind: Literal["Vault"]
    metadata: ObjectMeta
    spec: Annotated[VaultSpec, Meta(description="Where it is, and its secrets.")]


class Policy(Part, frozen=True, kw_only=True):
    """Protection for every application that matches."""

    api_version: Literal["appshield.io/v1alpha1"]
    kind: Literal["Policy"]
    metadata: ObjectMeta
    spec: Annotated[PolicySpec, Meta(description="Who gets which protection.")]


class HealthOfKind(Part, frozen=True, kw_only=True):
    """What is known about the health of a kind, beside what holds for every kind."""

    of: Annotated[KindPattern, Meta(description="The kind, such as clusters.postgresql.cnpg.io.")]
    degraded: Annotated[
        Expression | None, Meta(description="CEL over `object`: it has failed.")
    ] = None
    progressing: Annotated[
        Expression | None, Meta(description="CEL over `object`: it is on its way.")
    ] = None
    healthy: Annotated[
        Expression | None,
        Meta(
            description="CEL over `object`: it is as it should be. The first of the three that "
            "holds counts; where none does, what its conditions say."
        ),
    ] = None
    why: Annotated[Text | None, Meta(description="The reason that people are told.")] = None


class ProfileSpec(Part, frozen=True, kw_only=True):
    """How every component of a type is saved, where its document says nothing else."""

    type: Annotated[
        Text, Meta(description="The type that it describes, such as database/postgresql.")
    ]
    description: Annotated[
        Text | None, Meta(description="For people: what it does, and what it cannot do.")
    ] = None
    proved: Annotated[
        bool | None,
        Meta(
            description="Whether somebody has brought data back with it that were saved while "
            "they were written. Default false."
        ),
    ] = None
    images: Annotated[
        tuple[Text, ...],
        Meta(
            description="Names of images that run this type, without registry and tag; * stands "
            "for any part. `appshield init` proposes the profile by them.",
            max_length=64,
        ),
    ] = ()
    ports: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=65_535, extra={"means": "a port"})], ...],
        Meta(description="Ports that this type listens on, for the same purpose.", max_length=16),
    ] = ()
    strategy: Annotated[Strategy | None, Meta(description="As in a component.")] = None
    quiesce: Annotated[Hook | None, Meta(description="Taken where volumes are saved.")] = None
    resume: Annotated[Hook | None, Meta(description="Taken beside quiesce.")] = None
    dump: Annotated[Hook | None, Meta(description="Taken where the strategy is dump.")] = None
    load: Annotated[Hook | None, Meta(description="Taken beside dump.")] = None
    volumes: Annotated[Volumes | None, Meta(description="As in a component.")] = None
    health: Annotated[
        tuple[HealthOfKind, ...],
        Meta(description="How objects of this type say that they are well.", max_length=32),
    ] = ()


class Profile(Part, frozen=True, kw_only=True):
    """How components of a type are saved; one of a type that is shipped goes before that."""

    api_version: Literal["appshield.io/v1alpha1"]
    kind: Literal["Profile"]
    metadata: ObjectMeta
    spec: Annotated[ProfileSpec, Meta(description="How the type is saved.")]


class Backup(Part, frozen=True, kw_only=True):
    """Save an application now; done once for each object."""

    api_version: Literal["appshield.io/v1alpha1"]
    kind: Literal["Backup"]
    metadata: ObjectMeta
    spec: Annotated[BackupSpec, Meta(description="What is saved; it never changes.")]


class Restore(Part, frozen=True, kw_only=True):
    """Bring a version of an application back; done once for each object."""

    api_version: Literal["appshield.io/v1alpha1"]
    kind: Literal["Restore"]
    metadata: ObjectMeta
    spec: Annotated[RestoreSpec, Meta(description="What comes back; it never changes.")]


Resource = Application | Policy | Profile | Vault | Backup | Restore
KINDS: dict[str, type[Resource]] = {
    "Application": Application,
    "Policy": Policy,
    "Profile": Profile,
    "Vault": Vault,
    "Backup": Backup,
    "Restore": Restore,
}
NAMESPACED_KINDS = frozenset({"Application", "Backup", "Restore"})


def document(resource: Resource) -> dict[str, Any]:
    """Return the document as the API server takes it, without what was left out."""
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(resource))
    return written
