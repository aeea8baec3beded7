"""What is known about the running application at one moment, and about the cut of a snapshot."""

from collections.abc import Mapping

import msgspec

from appshield.kubernetes.kinds import Object


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What runs.

    `objects`: by `Kind name`, the values of Secrets as digests. `images`: the digest that runs, by
    `component/container`.
    """

    objects: Mapping[str, Object]
    images: Mapping[str, str]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What the application has stored: the SHA-256 of each row and file, by number."""

    rows: Mapping[int, str]
    files: Mapping[int, str]


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """When the snapshot of a volume was made, wall clock in seconds.

    `not_before_s`: it was not even asked for yet. `not_after_s`: it was made.
    """

    not_before_s: float
    not_after_s: float


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """The longest time without an acknowledged write: without a backup, and with one."""

    baseline_s: float
    backup_s: float
