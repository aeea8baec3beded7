"""What was asked and is not answered yet: all answers of a connection arrive at one place."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from nats.aio.msg import Msg

from appshield.bus.inbox import Incoming, incoming

Awaited = asyncio.Future[Incoming | Exception]


class Answers:
    """Hands each answer to whoever waits for it; what nobody waits for any more is dropped."""

    def __init__(self) -> None:
        self.place = ""
        """Where answers arrive; empty while nobody listens there."""
        self._numbers = itertools.count(1)
        self._awaited: dict[str, tuple[str, Awaited]] = {}

    @contextmanager
    def awaited(self, subject: str) -> Iterator[tuple[str, Awaited]]:
        """Expect an answer for the time of the block: under which name, and what it will be."""
        name = str(next(self._numbers))
        answer: Awaited = asyncio.get_running_loop().create_future()
        self._awaited[name] = (subject.lower(), answer)
        try:
            yield name, answer
        finally:
            del self._awaited[name]

    def receive(self, message: Msg) -> None:
        """Hand over an answer as nats-py brings it."""
        _, answer = self._awaited.get(message.subject.rpartition(".")[2], ("", None))
        if answer is not None and not answer.done():
            answer.set_result(incoming(message))

    def end(self, subject: str, error: Exception) -> None:
        """Let everyone who waits for an answer on `subject` have an error instead, now."""
        for asked, answer in self._awaited.values():
            if asked == subject and not answer.done():
                answer.set_result(error)

    def end_all(self, error: Exception) -> None:
        """Let everyone have an error."""
        for subject in {asked for asked, _ in self._awaited.values()}:
            self.end(subject, error)
