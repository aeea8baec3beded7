"""What the document of a Vault says: a place in an object store, and what opens it.

Like the other kinds: what was left out is None or False-like here, and filled in by `resolving`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from appshield.language import defaults
from appshield.language.protection import Part, SecretReference
from appshield.language.values import Text

Addressing = Literal["path", "virtual"]
LockMode = Literal["governance", "compliance"]


class ObjectLock(Part, frozen=True, kw_only=True):
    """How long the store keeps every object of a version from being deleted."""

    mode: Annotated[
        LockMode | None,
        Meta(
            description="governance: whoever has a special right may delete earlier; compliance: "
            f"nobody may. Default {defaults.LOCK_MODE}."
        ),
    ] = None
    days: Annotated[
        int,
        Meta(
            description="For so long after the newest version that needs an object it cannot be "
            "deleted. Choose it no longer than retention keeps versions: what has expired stays.",
            ge=1,
            le=36_500,
            extra={"means": "a number of days from 1 to 36500"},
        ),
    ]


class VaultSpec(Part, frozen=True, kw_only=True):
    """A place in an S3-compatible object store."""

    endpoint: Annotated[
        Text, Meta(description="Address of the store, such as https://s3.example.org.")
    ]
    bucket: Annotated[
        str,
        Meta(
            description="The bucket; it must exist.",
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            extra={"means": "a bucket name of 3 to 63 lower-case letters, digits, dots, dashes"},
        ),
    ]
    prefix: Annotated[
        Text | None,
        Meta(description="Everything is written below this path. Default: the bucket's root."),
    ] = None
    region: Annotated[
        Text | None, Meta(description=f"Region of the bucket. Default {defaults.REGION}.")
    ] = None
    addressing: Annotated[
        Addressing | None,
        Meta(
            description=f"path: host/bucket; virtual: bucket.host. Default {defaults.ADDRESSING}."
        ),
    ] = None
    ca_secret: Annotated[
        SecretReference | None,
        Meta(description="Secret with `ca.crt`, for a store with a certificate of its own."),
    ] = None
    credentials_secret: Annotated[
        SecretReference,
        Meta(description="Secret with `accessKey` and `secretKey`, if asked `sessionToken`."),
    ]
    agent_credentials_secret: Annotated[
        SecretReference | None,
        Meta(
            description="Secret with the same for agents on nodes, of a key that may list, read "
            "and write, and not delete. Without it they are lent the other credentials."
        ),
    ] = None
    key_secret: Annotated[
        SecretReference, Meta(description="Secret with the root key that seals all repositories.")
    ]
    object_lock: Annotated[
        ObjectLock | None,
        Meta(
            description="Keep what is written from being deleted, by anybody, for some time. The "
            "bucket must have been made with object lock and without a default retention."
        ),
    ] = None
    read_only: Annotated[
        bool | None,
        Meta(
            description="Never write: disaster recovery from another cluster's bucket. "
            "Default false."
        ),
    ] = None
