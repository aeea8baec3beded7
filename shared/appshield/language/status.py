"""What AppShield writes into the status of its objects, for people who use kubectl."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One statement about the object, in the form that Kubernetes uses everywhere."""

    type: Annotated[str, Meta(description="What is stated, such as Ready.", max_length=316)]
    status: Annotated[Literal["True", "False", "Unknown"], Meta(description="Whether it holds.")]
    reason: Annotated[str, Meta(description="Why, in one word.", max_length=1024)] = ""
    message: Annotated[str, Meta(description="Why, for people.", max_length=32_768)] = ""
    last_transition_time: Annotated[
        datetime | None, Meta(description="When this last changed.")
    ] = None
    observed_generation: Annotated[
        int | None, Meta(description="Generation of the document that this is about.")
    ] = None


class ObjectStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What AppShield made of a document."""

    observed_generation: Annotated[
        int | None, Meta(description="Generation of the document that is in force.")
    ] = None
    conditions: Annotated[
        tuple[Condition, ...], Meta(description="Statements about the object.", max_length=32)
    ] = ()


class DocumentStatus(ObjectStatus, frozen=True, kw_only=True):
    """What is in force of a document, also while a newer one is refused."""

    revision: Annotated[
        str | None, Meta(description="Digest of the document that is in force.")
    ] = None
    in_force: Annotated[
        str | None,
        Meta(
            description="The spec of the last document that was accepted, as JSON. It stays in "
            "force while a newer one is refused."
        ),
    ] = None


class ApplicationStatus(DocumentStatus, frozen=True, kw_only=True):
    """How the application is, and what of it is saved."""

    application_id: Annotated[
        str | None, Meta(description="Name of the application's history in its Vault.")
    ] = None
    health: Annotated[
        Literal["Healthy", "Progressing", "Degraded", "Missing", "Unknown"] | None,
        Meta(description="Health of the application's objects."),
    ] = None
    rpo: Annotated[
        str | None,
        Meta(description="How old the newest version may become, by the strictest rule in force."),
    ] = None
    last_version: Annotated[int | None, Meta(description="Number of the newest version.")] = None
    last_backup_at: Annotated[
        datetime | None, Meta(description="When the newest version was made.")
    ] = None


class PolicyStatus(DocumentStatus, frozen=True, kw_only=True):
    """Which applications a policy protects."""

    applications: Annotated[
        int | None, Meta(description="How many applications the policy matches.")
    ] = None


class CommandStatus(ObjectStatus, frozen=True, kw_only=True):
    """What became of a wish; the conditions are Admitted and Succeeded."""

    phase: Annotated[
        Literal["Pending", "Waiting", "Running", "Succeeded", "Failed", "Cancelled", "LeftAlone"]
        | None,
        Meta(
            description="Pending: not yet admitted; Waiting: for its turn or for approval; "
            "Running; Succeeded, Failed or Cancelled: the end; LeftAlone: older than the "
            "installation."
        ),
    ] = None
    run: Annotated[str | None, Meta(description="The run that does it; see `appshield run`.")] = (
        None
    )
    progress: Annotated[
        str | None, Meta(description="How far it is, for people, such as 40% of 12.3 GB.")
    ] = None
    version: Annotated[
        int | None, Meta(description="Number of the version that was made or comes back.")
    ] = None
    message: Annotated[
        str | None, Meta(description="What it waits for, or why it failed and what to do.")
    ] = None
    started_at: Annotated[datetime | None, Meta(description="When the run began.")] = None
    completed_at: Annotated[datetime | None, Meta(description="When the run ended.")] = None
