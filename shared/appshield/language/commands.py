"""Commands as documents: save an application now, bring a version back.

A `Backup` or `Restore` object is one wish, made by whoever may create it, and is done once. Its
spec never changes: another wish is another object. What became of it stands in its status.
"""

from typing import Annotated, Literal

from msgspec import Meta

from appshield.language import defaults
from appshield.language.protection import Approval, Keep, Part, VersionChoice
from appshield.language.values import Label, ObjectName, Text

Existing = Literal["refuse", "update", "mirror"]


class BackupSpec(Part, frozen=True, kw_only=True):
    """Which application is saved, and what becomes of the version."""

    application: Annotated[ObjectName, Meta(description="The application, of the same namespace.")]
    reason: Annotated[Text | None, Meta(description="Why, for the version's record.")] = None
    keep: Annotated[
        Keep | None,
        Meta(description="Which of the versions made this way stay. Default: all of them."),
    ] = None
    targets: Annotated[
        tuple[Label, ...],
        Meta(description="Vaults to write to. Default: the application's targets.", max_length=8),
    ] = ()


class RestoreSpec(Part, frozen=True, kw_only=True):
    """Which version comes back, from where and into where."""

    application: Annotated[
        ObjectName,
        Meta(description="The application, of the same namespace; its object may be gone."),
    ]
    version: Annotated[VersionChoice, Meta(description="Which of its versions comes back.")]
    to: Annotated[
        Label | None,
        Meta(description="The namespace to restore into. Default: the one of this document."),
    ] = None
    vault: Annotated[
        Label | None,
        Meta(description="The Vault to read from. Default: where the version was written first."),
    ] = None
    history: Annotated[
        Text | None,
        Meta(description="The id of one history, where several applications had the name."),
    ] = None
    paths: Annotated[
        tuple[Text, ...],
        Meta(
            description="Parts of the version as `appshield ls` lists them, such as manifests or "
            "volumes/data/etc. Default: all of it.",
            max_length=256,
        ),
    ] = ()
    existing: Annotated[
        Existing | None,
        Meta(
            description="What is there already. refuse: stops the restore before it begins; "
            "update: only what differs is written; mirror: and files that the version does not "
            f"hold are deleted. Default {defaults.EXISTING}."
        ),
    ] = None
    approve: Annotated[
        Approval | None,
        Meta(
            description="auto: begin at once; manual: wait until a person approves the plan. "
            f"Default {defaults.RESTORE_APPROVAL}."
        ),
    ] = None
