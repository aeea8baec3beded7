"""The server has work while those whose messages it has stored go on."""

import asyncio
from collections.abc import Mapping
from typing import cast

import msgspec

from appshield.bus.connection import Connection
from appshield.bus.grouping import MESSAGES_MAX, Grouping
from appshield.bus.inbox import Incoming

SUBJECT = "$KV.APPSHIELD_TEST.key"


class Server:
    """Confirms each batch at once, and notes when one was complete."""

    server_version = (2, 15)

    def __init__(self) -> None:
        self.happened: list[str] = []
        self._stored = 0

    async def send(self, _subject: str, _body: bytes, *, headers: Mapping[str, str]) -> None:
        """Take a message of a batch."""
        assert headers["Nats-Batch-Id"]

    async def request(
        self, subject: str, _body: bytes, *, timeout_s: float, headers: Mapping[str, str]
    ) -> Incoming:
        """Take the last message of a batch."""
        assert timeout_s > 0
        self.happened.append("sent")
        await asyncio.sleep(0)
        count = int(headers["Nats-Batch-Sequence"])
        self._stored += count
        confirmed = {"seq": self._stored, "count": count}
        return Incoming(subject=subject, reply="", body=msgspec.json.encode(confirmed), headers={})


async def test_the_next_batch_is_sent_before_those_of_the_last_one_go_on() -> None:
    """Two batches and a half: each message has its own sequence."""
    server = Server()
    grouping = Grouping(cast("Connection", server))
    sequences: list[int] = []

    async def store() -> None:
        sequences.append(await grouping.store(SUBJECT, b"body", {}))
        server.happened.append("went on")

    count = MESSAGES_MAX * 5 // 2
    await asyncio.gather(*(store() for _ in range(count)))
    assert sequences == list(range(1, count + 1))
    assert server.happened[:2] == ["sent", "sent"]
    assert server.happened.count("sent") == 3
    assert server.happened[MESSAGES_MAX + 2] == "sent"
