"""From our types to those of CEL: a message type for each `Facts`, whose attributes are checked."""

from collections.abc import Callable, Mapping

from google.protobuf import descriptor_pb2, duration_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from msgspec import inspect

from appshield.language.expression_values import Facts

PACKAGE = "appshield"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Mapping[type[inspect.Type], _Field.Type.ValueType] = {
    inspect.StrType: _Field.TYPE_STRING,
    inspect.IntType: _Field.TYPE_INT64,
    inspect.BoolType: _Field.TYPE_BOOL,
}
_TIMES: Mapping[type[inspect.Type], str] = {
    inspect.TimeDeltaType: ".google.protobuf.Duration",
    inspect.DateTimeType: ".google.protobuf.Timestamp",
}


class MessageTypes:
    """The message types of some `Facts` and of all that they hold."""

    def __init__(self, wanted: tuple[type[Facts], ...]) -> None:
        self.pool = DescriptorPool()
        for known in (duration_pb2, timestamp_pb2):
            copied = descriptor_pb2.FileDescriptorProto()
            known.DESCRIPTOR.CopyToProto(copied)
            self.pool.Add(copied)
        file = descriptor_pb2.FileDescriptorProto(
            name="appshield/facts.proto",
            package=PACKAGE,
            syntax="proto3",
            dependency=[duration_pb2.DESCRIPTOR.name, timestamp_pb2.DESCRIPTOR.name],
        )
        self._types = _with_parts(wanted)
        for one in self._types.values():
            _describe(file.message_type.add(name=one.cls.__name__), one)
        self.pool.Add(file)
        self._make: dict[str, Callable[..., Message]] = {
            name: GetMessageClass(self.pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
            for name in self._types
        }

    def attributes(self, type_name: str) -> list[str]:
        """List what an expression may name of a type; nothing of an unknown one."""
        known = self._types.get(type_name)
        return [field.encode_name for field in known.fields] if known else []

    def message(self, facts: Facts) -> Message:
        """Return the values as CEL takes them."""
        fields = self._types[type(facts).__name__].fields
        values = {field.encode_name: self._value(getattr(facts, field.name)) for field in fields}
        return self._make[type(facts).__name__](**values)

    def _value(self, value: object) -> object:
        if isinstance(value, Facts):
            return self.message(value)
        if isinstance(value, tuple):
            return [self._value(one) for one in value]
        return value


def _with_parts(wanted: tuple[type[Facts], ...]) -> dict[str, inspect.StructType]:
    found: dict[str, inspect.StructType] = {}
    waiting: list[inspect.Type] = [inspect.type_info(one) for one in wanted]
    while waiting:
        one = _bare(waiting.pop())
        if isinstance(one, inspect.VarTupleType):
            waiting.append(one.item_type)
        elif isinstance(one, inspect.StructType) and one.cls.__name__ not in found:
            found[one.cls.__name__] = one
            waiting.extend(field.type for field in one.fields)
    return found


def _describe(message: descriptor_pb2.DescriptorProto, facts: inspect.StructType) -> None:
    for number, field in enumerate(facts.fields, start=1):
        described = message.field.add(
            name=field.encode_name, number=number, label=_Field.LABEL_OPTIONAL
        )
        wanted = _bare(field.type)
        if isinstance(wanted, inspect.VarTupleType):
            described.label = _Field.LABEL_REPEATED
            wanted = _bare(wanted.item_type)
        if isinstance(wanted, inspect.DictType):
            entry = _map_entry(message, field.encode_name)
            described.label = _Field.LABEL_REPEATED
            described.type = _Field.TYPE_MESSAGE
            described.type_name = f".{PACKAGE}.{message.name}.{entry}"
        elif isinstance(wanted, inspect.StructType):
            described.type = _Field.TYPE_MESSAGE
            described.type_name = f".{PACKAGE}.{wanted.cls.__name__}"
        elif type(wanted) in _TIMES:
            described.type = _Field.TYPE_MESSAGE
            described.type_name = _TIMES[type(wanted)]
        else:
            described.type = _SCALARS[type(wanted)]


def _map_entry(message: descriptor_pb2.DescriptorProto, field: str) -> str:
    """Add what protobuf needs for a map of texts, and return its name."""
    entry = message.nested_type.add(name=f"{field[0].upper()}{field[1:]}Entry")
    entry.options.map_entry = True
    for number, name in enumerate(("key", "value"), start=1):
        entry.field.add(
            name=name, number=number, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING
        )
    return entry.name


def _bare(wanted: inspect.Type) -> inspect.Type:
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    return wanted
