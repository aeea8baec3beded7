"""What a user of the bus may send and hear, in the server's own terms.

Nobody but administrators may make consumers: the server delivers a push consumer's messages to any
subject that its maker names, so the right to make one is the right to publish anything.
"""

import msgspec

from appshield.bus.access import BusAccess
from appshield.bus.api import PREFIX
from appshield.bus.buckets import stream_of
from appshield.contracts import streams, subjects
from appshield.contracts.permissions import UserSpec
from appshield.contracts.stream_specs import BucketSpec, StreamSpec


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """Subjects that one user may publish to and subscribe to; what is not named is refused.

    `publish_denied` takes away again what a wildcard in `publish` gives too much.
    """

    publish: tuple[str, ...]
    publish_denied: tuple[str, ...]
    subscribe: tuple[str, ...]


def allowed(user: UserSpec) -> Allowed:
    """Translate what a user does into subjects."""
    publish = [*user.publishes]
    subscribe = [f"{BusAccess(url='', user=user.name).inbox_prefix}.>", *user.listens]
    for consumer in user.consumes:
        publish += _consuming(consumer.stream, consumer.name)
    for stream in user.reads:
        publish += _reading(stream.name)
        subscribe += [subjects.stored(stream.name), *_told(stream)]
    publish += [f"{PREFIX}.DIRECT.GET.{streams.STATE.name}.{one}" for one in user.latest]
    publish += [f"{PREFIX}.STREAM.MSG.DELETE.{stream.name}" for stream in user.removes_from]
    for bucket in (*user.looks_at, *user.keeps):
        publish += [*_reading(stream_of(bucket)), f"{PREFIX}.STREAM.MSG.GET.{stream_of(bucket)}"]
        subscribe += [subjects.stored(stream_of(bucket)), _keys(bucket)]
    publish += [_keys(bucket) for bucket in user.keeps]
    publish += [_keys(one.bucket, one.pattern) for one in user.keeps_below]
    if user.administers:
        publish.append(f"{PREFIX}.>")
    return Allowed(
        publish=tuple(dict.fromkeys(publish)),
        publish_denied=tuple(_denied(user)),
        subscribe=tuple(dict.fromkeys(subscribe)),
    )


def _consuming(stream: str, consumer: str) -> list[str]:
    return [
        f"{PREFIX}.CONSUMER.MSG.NEXT.{stream}.{consumer}",
        f"{PREFIX}.CONSUMER.INFO.{stream}.{consumer}",
        f"$JS.ACK.{stream}.{consumer}.>",
    ]


def _reading(stream: str) -> list[str]:
    return [
        f"{PREFIX}.STREAM.INFO.{stream}",
        f"{PREFIX}.DIRECT.GET.{stream}",
        f"{PREFIX}.DIRECT.GET.{stream}.>",
    ]


def _denied(user: UserSpec) -> list[str]:
    """List what nobody may do to the audit but the planner, which alone writes and trims it."""
    name = streams.AUDIT.name
    denied = [f"{PREFIX}.STREAM.{what}.{name}" for what in ("DELETE", "MSG.DELETE", "RESTORE")]
    if streams.PLANNER_AUDIT not in user.consumes:
        denied += [f"{PREFIX}.STREAM.PURGE.{name}", subjects.AUDITED]
    return denied


def _told(stream: StreamSpec) -> list[str]:
    """List what a reader of a stream may also hear as it is published."""
    return list(stream.subjects)


def _keys(bucket: BucketSpec, pattern: str = ">") -> str:
    return f"$KV.{bucket.name}.{pattern}"
