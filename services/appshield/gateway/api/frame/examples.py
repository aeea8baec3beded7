"""Examples of bodies in the API's description: values of the very types that routes take."""

from dataclasses import dataclass

import msgspec
from litestar.openapi.spec import Operation, RequestBody

JSON = "application/json"


def with_example(body: object) -> type[Operation]:
    """Make the operation of a route whose body may look like this."""

    @dataclass
    class WithExample(Operation):
        """An operation with an example of its body."""

        def __post_init__(self) -> None:
            """Show it beside the shape of the body."""
            if isinstance(self.request_body, RequestBody):
                self.request_body.content[JSON].example = msgspec.to_builtins(body)

    return WithExample
