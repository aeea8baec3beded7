"""What is generated from the contracts: JSON Schemas, the tables of README.md, first samples.

Everything here is a pure function of the contracts; `python -m appshield.contracts FOLDER` writes
it, and a test compares it with what is committed.
"""

import inspect
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect as types

from appshield.contracts import MESSAGES
from appshield.contracts.health import ReactionsDue
from appshield.contracts.identities import AppRef
from appshield.contracts.lending import BorrowKey, KeyLent, KeyNotLent
from appshield.contracts.message import Message, Request
from appshield.contracts.permissions import USERS, KeysBelow, UserSpec, agent_users
from appshield.contracts.runs import (
    CopyDue,
    LogLine,
    Progress,
    RpoAlertDue,
    RpoDue,
    ScheduleDue,
    StepDue,
    UpkeepDue,
    WaitOver,
)
from appshield.contracts.stream_specs import MIB, BucketSpec, ConsumerSpec, StreamSpec
from appshield.contracts.streams import BUCKETS, CONSUMERS, STREAMS
from appshield.contracts.subjects import ANY_NODE, ROOT, due, log

SAMPLE_VERSION = "v1"

_PLACE = AppRef(cluster="the-cluster", namespace="the-namespace", name="the-name")
_LIVE = f"{ROOT}.live.progress.<cluster>.<namespace>.<app>"
ELSEWHERE: Mapping[type[Message], str] = {
    Progress: _LIVE,
    StepDue: due("<timer>"),
    ScheduleDue: due("<timer>"),
    RpoDue: due("<timer>"),
    WaitOver: due("<timer>"),
    UpkeepDue: due("<timer>"),
    CopyDue: due("<timer>"),
    RpoAlertDue: due("<timer>"),
    ReactionsDue: due("<timer>"),
    LogLine: log("<run>", "<service>"),
    BorrowKey: f"{ROOT}.lend.<service>.<cluster>.<node>",
    KeyLent: f"{ROOT}.lent.<service>.<cluster>.<node>",
    KeyNotLent: f"{ROOT}.lent.<service>.<cluster>.<node>",
}
"""Messages that travel on another subject than their own, or name no application there."""

GENERATED_FROM = "## Messages"
"""Where the generated part of README.md begins: what stands before it is written by people."""

_AGENTS = """
Agents on nodes have one each, made by the planner: `<service>-<cluster>-<node>` in
`APPSHIELD_COMMANDS`, for the orders that name their node (`_any` is a node that any worker is on).
"""

_GRANTED = """
Agents reach the volumes of a node, hold no key of a Vault, and are lent that of the repository that
an order is about: sealed, to them alone, while its step is under way (ADR 38).
All but `planner` and `installer` are in an account beside that of the streams: what the server
answers them is kept nowhere (ADR 67).

Beside these stand the users that `appshield bus-user add` makes, each with a grant (ADR 48) and an
account of the server of its own (ADR 21): they publish
`appshield.v1.cmd.<noun>.request.<cluster>.<namespace>.*.bus.<name>` for the requests of their role
and for their namespaces, hear and look up the facts of these, and read nothing else.
"""


def documents(written: str = "") -> dict[str, str]:
    """Return every generated file that must be up to date, by its path under `contracts/`.

    `written` is README.md as it is: what people have written in it stays.
    """
    made = {"README.md": readme(written)}
    for message in MESSAGES:
        schema = msgspec.json.encode(msgspec.json.schema(message))
        made[f"schemas/{message.__name__}.json"] = msgspec.json.format(schema).decode() + "\n"
    return made


def samples() -> dict[str, str]:
    """Return a first sample of every message, by its path; one that exists is never replaced."""
    return {
        f"samples/{SAMPLE_VERSION}/{message.__name__}.json": msgspec.json.format(
            msgspec.json.encode(example(message))
        ).decode()
        + "\n"
        for message in MESSAGES
    }


def readme(written: str) -> str:
    """Return the page about the contracts: the head of the one that is there, and the tables."""
    head, _, _ = written.partition(f"\n{GENERATED_FROM}\n")
    parts = [
        head,
        GENERATED_FROM,
        _table(("message", "what it says", "subject"), map(_message_row, MESSAGES)),
        "## Streams",
        _table(("stream", "what for", "subjects", "kept", "when full"), map(_stream_row, STREAMS)),
        "## Durable consumers",
        _table(
            ("consumer", "stream", "reads", "silence", "deliveries"), map(_consumer_row, CONSUMERS)
        ),
        _AGENTS,
        "## Buckets",
        _table(("bucket", "what for", "size", "keys live"), map(_bucket_row, BUCKETS)),
        "## Users",
        _table(
            ("user", "publishes", "consumes", "reads", "writes keys", "removes messages"),
            map(_user_row, (*USERS, *agent_users("the-cluster", "the-node"))),
        ),
        _GRANTED,
    ]
    return "\n\n".join(part.strip() for part in parts).lstrip() + "\n"


def example(message: type[Message]) -> Message:
    """Make a message with a plausible value in every field."""
    built = _value(types.type_info(message), "")
    return msgspec.json.decode(msgspec.json.encode(built), type=message)


def _value(kind: types.Type, name: str) -> object:
    """Make a value of any type that the contracts use; `name` is the field's."""
    match kind:
        case types.StructType():
            value = {one.name: _value(one.type, one.name) for one in kind.fields}
            return {kind.tag_field: kind.tag, **value} if kind.tag_field else value
        case types.UnionType():
            return _value(_members(kind)[0], name)
        case types.LiteralType():
            return kind.values[0]
        case types.VarTupleType() | types.ListType():
            return [_value(one, name.removesuffix("s")) for one in _members(kind.item_type)]
        case types.DictType():
            return {"key": _value(kind.value_type, name)}
        case _:
            return _plain(kind, name)


def _members(kind: types.Type) -> tuple[types.Type, ...]:
    """List the kinds of value that a type allows, None aside."""
    if not isinstance(kind, types.UnionType):
        return (kind,)
    return tuple(one for one in kind.types if not isinstance(one, types.NoneType))


def _plain(kind: types.Type, name: str) -> object:
    plain: Mapping[type[types.Type], object] = {
        types.BoolType: True,
        types.IntType: 3,
        types.FloatType: 1.5,
        types.StrType: name.replace("_", "-") or "text",
        types.BytesType: b"\x00\x01\x02",
        types.DateTimeType: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        types.RawType: {},
        types.AnyType: {},
    }
    return plain[type(kind)]


def _message_row(message: type[Message]) -> tuple[str, ...]:
    said = (inspect.getdoc(message) or "").partition("\n\n")[0].replace("\n", " ")
    return f"`{message.__name__}`", said, f"`{subject_form(message)}`"


def subject_form(message: type[Message]) -> str:
    """Return where a message travels, with the changing parts in angle brackets."""
    if message in ELSEWHERE:
        return ELSEWHERE[message]
    made: Any = example(message)
    changes: dict[str, object] = {"app": _PLACE}
    if issubclass(message, Request):
        changes |= {"actor": "the-actor", "door": "the-door"}
    if "node" in message.__struct_fields__:
        changes["node"] = ""
    subject = str(msgspec.structs.replace(made, **changes).subject())
    for name in ("cluster", "namespace", "name", "door", "actor"):
        subject = subject.replace(f".the-{name}", f".<{name}>")
    return subject.replace("<name>", "<app>").replace(f".{ANY_NODE}.", ".<node>.")


def _stream_row(stream: StreamSpec) -> tuple[str, ...]:
    kept = "until handled" if stream.retention == "work" else "until a limit"
    if stream.age_max_s:
        kept += f", {_time(stream.age_max_s)}"
    if stream.messages_per_subject_max > 0:
        kept += f", {stream.messages_per_subject_max} per subject"
    full = "refuses new ones" if stream.discard == "new" else "drops the oldest"
    return (
        f"`{stream.name}`",
        stream.purpose,
        _codes(stream.subjects),
        kept,
        f"{_size(stream.bytes_max)}: {full}",
    )


def _consumer_row(consumer: ConsumerSpec) -> tuple[str, ...]:
    often = str(consumer.deliver_max) if consumer.deliver_max > 0 else "any number"
    return (
        f"`{consumer.name}`",
        f"`{consumer.stream}`",
        _codes(consumer.filters),
        _time(consumer.ack_wait_s),
        often,
    )


def _time(seconds: float) -> str:
    days = seconds / 86_400
    return f"{days:g} days" if days > 1 else f"{seconds:g} s"


def _bucket_row(bucket: BucketSpec) -> tuple[str, ...]:
    lives = _time(bucket.live_s) if bucket.live_s else "for ever"
    return f"`{bucket.name}`", bucket.purpose, _size(bucket.bytes_max), lives


def _user_row(user: UserSpec) -> tuple[str, ...]:
    consumes = [consumer.name for consumer in user.consumes]
    publishes = [*user.publishes, *(["the server's own API"] if user.administers else [])]
    reads = [*(one.name for one in user.reads), *(one.name for one in user.looks_at)]
    return (
        f"`{user.name}`",
        _codes(publishes),
        _codes(consumes),
        _codes(reads),
        _codes((*(spec.name for spec in user.keeps), *map(_below, user.keeps_below))),
        _codes(stream.name for stream in user.removes_from),
    )


def _below(keys: KeysBelow) -> str:
    return f"{keys.bucket.name}.{keys.pattern}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes // MIB} MiB"


def _codes(names: Iterable[str]) -> str:
    return "<br>".join(f"`{_placed(name)}`" if " " not in name else name for name in names)


def _placed(name: str) -> str:
    """Write the place of an example as what it stands for."""
    return name.replace("the-cluster", "<cluster>").replace("the-node", "<node>")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
