"""The CSI and plugin registration protocols without generated code.

Messages and services are made at run time from a protobuf FileDescriptorSet, which the build takes
from the protocols' own Go modules. Message classes are therefore untyped (`Any`).

Source: csi.proto of CSI 1.11, pluginregistration/v1/api.proto of Kubernetes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import ServiceDescriptor


class Protocol:
    """All messages and services of a descriptor set."""

    def __init__(self, descriptors: Path) -> None:
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())
        self._pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self._pool.Add(file)

    def message(self, name: str) -> Any:  # noqa: ANN401  # made at run time
        """The class of a message by its full name, such as `csi.v1.Volume`."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))

    def enumeration(self, name: str) -> dict[str, int]:
        """The values of an enumeration by its full name."""
        values = self._pool.FindEnumTypeByName(name).values
        return {value.name: value.number for value in values}

    def handlers(self, service: str, implementation: object) -> "grpc.GenericRpcHandler[Any, Any]":
        """Serve `service` by the methods of `implementation` that bear the names of its calls.

        A call without such a method answers UNIMPLEMENTED.
        """
        descriptor = self._pool.FindServiceByName(service)
        return grpc.method_handlers_generic_handler(
            service, dict(_methods(descriptor, implementation))
        )


def _methods(
    descriptor: ServiceDescriptor, implementation: object
) -> "Iterator[tuple[str, grpc.RpcMethodHandler[Any, Any]]]":
    for method in descriptor.methods:
        behaviour = getattr(implementation, method.name, None)
        if behaviour is None:
            continue
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        yield (
            method.name,
            grpc.unary_unary_rpc_method_handler(
                behaviour,
                request_deserializer=request.FromString,
                response_serializer=response.SerializeToString,
            ),
        )
