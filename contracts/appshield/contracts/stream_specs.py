"""What can be said of a stream, a bucket and a consumer, as plain values."""

from typing import Literal

import msgspec

MIB = 1024 * 1024
DUPLICATE_WINDOW_S = 120.0


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Another stream, and what of it goes into this one: `moves` has subjects old and new."""

    stream: str
    moves: tuple[tuple[str, str], ...]


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One stream and its limits.

    `retention`: `limits` keeps until a limit, `work` until the one consumer has acknowledged.
    What `sources` hold comes in beside what is published on its own subjects; with None the
    server's stream keeps those that it has. Of a stream that `only_grows` no single message can be
    removed, by nobody; what lies below some sequence can.
    """

    name: str
    purpose: str
    subjects: tuple[str, ...]
    retention: Literal["limits", "work"] = "limits"
    discard: Literal["new", "old"] = "new"
    bytes_max: int
    messages_max: int = -1
    messages_per_subject_max: int = -1
    age_max_s: float = 0
    message_bytes_max: int = MIB
    duplicate_window_s: float = DUPLICATE_WINDOW_S
    schedules: bool = False
    only_grows: bool = False
    sources: tuple[SourceSpec, ...] | None = None


class ConsumerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One durable consumer: who reads what, when a message comes again, and how often.

    Its name begins with its service, and a dash. A message comes again `ack_wait_s` after the last
    sign of life of the process that has it. A handler may go `silence_max_s` without progress, 0
    for as long as the process. `deliver_max` -1 means for ever. `signals`: what comes is of other
    tools and is handed on as `Signal`.
    """

    name: str
    stream: str
    filters: tuple[str, ...]
    ack_wait_s: float = 30
    silence_max_s: float = 0
    deliver_max: int = 8
    in_flight_max: int = 64
    signals: bool = False


class BucketSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One key-value bucket; keys live `live_s` after their last write, 0 for ever."""

    name: str
    purpose: str
    bytes_max: int
    live_s: float = 0
