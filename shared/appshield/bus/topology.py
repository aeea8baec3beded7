"""Making the server's streams, buckets and consumers what the contracts describe.

It can be repeated at any time. Limits are changed in place; a difference that the server could
only resolve by losing messages is refused, with what to do.
"""

from typing import Literal

import structlog

from appshield.bus.api import (
    CONSUMER_NOT_FOUND,
    STREAM_NOT_FOUND,
    Api,
    ConsumerInfo,
    Done,
    ServerRefusedError,
    StreamInfo,
    missing,
)
from appshield.bus.buckets import stream_of
from appshield.bus.publishing import limits_in_words
from appshield.contracts import subjects
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec, SourceSpec, StreamSpec
from appshield.contracts.streams import BUCKETS, CONSUMERS, STREAMS
from appshield.errors import RefusedError

_FIXED = ("retention", "storage")
_DUPLICATE_WINDOW_S = 120.0
_RETENTION: dict[Literal["limits", "work"], str] = {"limits": "limits", "work": "workqueue"}


class Topology:
    """The streams, buckets and consumers of one server; `limits` collects what streams may hold."""

    def __init__(self, api: Api, limits: dict[str, str]) -> None:
        self._api = api
        self._limits = limits
        self._streams = {spec.name: spec for spec in STREAMS}
        for spec in STREAMS:
            limits[spec.name] = limits_in_words(spec)
        for bucket in BUCKETS:
            limits[stream_of(bucket)] = f"{bucket.bytes_max} bytes"

    async def ensure(self, replicas: int) -> None:
        """See `Bus.ensure_topology`."""
        for stream in STREAMS:
            await self.ensure_stream(stream, replicas)
        for bucket in BUCKETS:
            await self.ensure_bucket(bucket, replicas)
        for consumer in CONSUMERS:
            await self.ensure_consumer(consumer)

    async def ensure_stream(self, spec: StreamSpec, replicas: int = 1) -> None:
        """Make or change one stream; raises as `ensure`."""
        self._streams[spec.name] = spec
        self._limits[spec.name] = limits_in_words(spec)
        await self._ensure(_stream_config(spec), replicas)

    async def ensure_bucket(self, spec: BucketSpec, replicas: int = 1) -> None:
        """Make or change one bucket; raises as `ensure`."""
        self._limits[stream_of(spec)] = f"{spec.bytes_max} bytes"
        await self._ensure(_bucket_config(spec), replicas)

    async def ensure_consumer(self, spec: ConsumerSpec) -> None:
        """Make or change one durable consumer.

        Raises:
            NotFoundError: its stream does not exist.
            RefusedError: the server's consumer cannot be changed to this.
        """
        request = {"stream_name": spec.stream, "config": _consumer_config(spec)}
        try:
            await self._api.call(
                f"CONSUMER.CREATE.{spec.stream}.{spec.name}", request, ConsumerInfo
            )
        except ServerRefusedError as error:
            if error.err_code == STREAM_NOT_FOUND:
                raise missing(spec.stream) from error
            raise RefusedError(
                f"the consumer {spec.name} of {spec.stream} cannot be made as described",
                why=error.why,
                next_step="Remove the consumer if nobody needs its position, and start again",
            ) from error

    async def restore(self, spec: ConsumerSpec) -> None:
        """Make a consumer again that has gone, and before it a known stream that has gone."""
        if await self._api.stream(spec.stream) is None and spec.stream in self._streams:
            await self.ensure_stream(self._streams[spec.stream])
        await self.ensure_consumer(spec)

    async def remove_consumer(self, spec: ConsumerSpec, *, purge: bool) -> None:
        """See `Bus.remove_consumer`."""
        try:
            await self._api.call(f"CONSUMER.DELETE.{spec.stream}.{spec.name}", None, Done)
        except ServerRefusedError as error:
            if error.err_code not in (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND):
                raise
        if purge:
            for subject in spec.filters:
                await self.purge(spec.stream, {"filter": subject})

    async def trim(self, spec: StreamSpec, below_sequence: int) -> None:
        """See `Bus.trim`; timers that are still to fire have low sequences and stay."""
        if below_sequence <= 1:
            return  # the server takes a purge below nothing for a purge of everything
        request: dict[str, object] = {"seq": below_sequence}
        if spec.schedules:
            request["filter"] = subjects.due(">")
        await self.purge(spec.name, request)

    async def purge(self, stream: str, request: dict[str, object]) -> None:
        """Remove messages; no error when the stream is not there."""
        try:
            await self._api.call(f"STREAM.PURGE.{stream}", request, Done)
        except ServerRefusedError as error:
            if error.err_code != STREAM_NOT_FOUND:
                raise

    async def _ensure(self, wanted: dict[str, object], replicas: int) -> None:
        name = wanted["name"]
        present = await self._api.stream(str(name))
        if present is None:
            await self._api.call(
                f"STREAM.CREATE.{name}", {**wanted, "num_replicas": replicas}, StreamInfo
            )
            structlog.get_logger().info("stream made", stream=name)
            return
        # the server leaves out what is empty
        changes = {
            key: value
            for key, value in wanted.items()
            if (present.config.get(key) or None) != (value or None)
        }
        if not changes:
            return
        _ensure_harmless(str(name), changes, present)
        await self._api.call(f"STREAM.UPDATE.{name}", {**present.config, **wanted}, StreamInfo)
        structlog.get_logger().info("stream changed", stream=name, changes=sorted(changes))


def _ensure_harmless(name: str, changes: dict[str, object], present: StreamInfo) -> None:
    for field in _FIXED:
        if field in changes:
            raise RefusedError(
                f"the stream {name} cannot be changed",
                why=f"its {field} is {present.config.get(field)} and would become {changes[field]}",
                next_step="Save what it holds, delete the stream, and start again",
            )
    room = changes.get("max_bytes")
    if isinstance(room, int) and 0 < room < present.state.bytes:
        raise RefusedError(
            f"the stream {name} cannot be made smaller",
            why=f"it holds {present.state.bytes} bytes, the limit would be {room}",
            next_step="Let its readers catch up, or trim it",
        )


def _stream_config(spec: StreamSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "description": spec.purpose,
        "subjects": list(spec.subjects),
        "retention": _RETENTION[spec.retention],
        "discard": spec.discard,
        "storage": "file",
        "max_bytes": spec.bytes_max,
        "max_msgs": spec.messages_max,
        "max_msgs_per_subject": spec.messages_per_subject_max,
        "max_age": _nanoseconds(spec.age_max_s),
        "max_msg_size": spec.message_bytes_max,
        "duplicate_window": _nanoseconds(_window_s(spec.duplicate_window_s, spec.age_max_s)),
        "allow_direct": True,
        "allow_rollup_hdrs": spec.schedules,
        **({"deny_delete": True} if spec.only_grows else {}),
        **(
            {"allow_msg_schedules": True, "allow_msg_ttl": True, "allow_atomic": True}
            if spec.schedules
            else {}
        ),
        "republish": _hints(spec.name),
        **({} if spec.sources is None else {"sources": [_source(one) for one in spec.sources]}),
    }


def _source(spec: SourceSpec) -> dict[str, object]:
    moves = [{"src": old, "dest": new} for old, new in spec.moves]
    return {"name": spec.stream, "subject_transforms": moves}


def _bucket_config(spec: BucketSpec) -> dict[str, object]:
    """Describe a bucket as the NATS KV layout has it, so that other tools can read it."""
    name = stream_of(spec)
    return {
        "name": name,
        "description": spec.purpose,
        "subjects": [f"$KV.{spec.name}.>"],
        "retention": "limits",
        "discard": "new",
        "storage": "file",
        "max_bytes": spec.bytes_max,
        "max_msgs": -1,
        "max_msgs_per_subject": 1,
        "max_age": _nanoseconds(spec.live_s),
        "max_msg_size": -1,
        "duplicate_window": _nanoseconds(_window_s(_DUPLICATE_WINDOW_S, spec.live_s)),
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "allow_msg_ttl": True,
        "allow_atomic": True,
        "republish": _hints(name),
    }


def _consumer_config(spec: ConsumerSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "durable_name": spec.name,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": _nanoseconds(spec.ack_wait_s),
        "max_deliver": spec.deliver_max,
        "max_ack_pending": spec.in_flight_max,
        "filter_subjects": list(spec.filters),
    }


def _hints(stream: str) -> dict[str, object]:
    return {"src": ">", "dest": subjects.stored(stream), "headers_only": True}


def _window_s(wanted_s: float, age_max_s: float) -> float:
    """The server refuses a duplicate window that is longer than messages live."""
    return min(wanted_s, age_max_s) if age_max_s else wanted_s


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
