"""Which part of the planner handles which kind of message: a table, read once a message."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from appshield.bus import Reject
from appshield.contracts.message import Message

M = TypeVar("M", bound=Message)


class Handlers:
    """Handlers by kind of message; a kind without its own is handled as what it is a kind of."""

    def __init__(self) -> None:
        # each handler takes the kind that it is under, which a dictionary cannot say
        self._handlers: dict[type, Callable[[Any], Awaitable[object]]] = {}

    def add(self, kind: type[M], handle: Callable[[M], Awaitable[object]]) -> None:
        """Let `handle` take every message of a kind."""
        self._handlers[kind] = handle

    async def handle(self, message: Message) -> None:
        """Hand a message to who takes its kind.

        Raises:
            Reject: nobody does.
        """
        for kind in type(message).__mro__:
            if (handle := self._handlers.get(kind)) is not None:
                await handle(message)
                return
        raise Reject(f"the planner does not handle {type(message).__name__}")
