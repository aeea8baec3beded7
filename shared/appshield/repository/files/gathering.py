"""Files of one chunk, read now and stored together: one at a time they cost more than their bytes.

    read → … → read → store: hash, claim, compress, seal, prove, each for all of them → their nodes

What happens to a file while it is read is known at once; only its node comes later.
"""

import os
from typing import Final

from appshield.repository.files.metadata import Attributes, encode_entry
from appshield.repository.files.reading import storing
from appshield.repository.nodes import BlobSink

MOST_BYTES: Final = 2 << 20
"""How much is gathered: some hundred small files."""


class GatheredFiles:
    """Files that were read and wait to be stored."""

    def __init__(self, sink: BlobSink) -> None:
        self._sink = sink
        self._data: list[bytes] = []
        self._size_bytes = 0
        self._entries: list[tuple[list[bytes], int, bytes, os.stat_result, Attributes]] = []

    @property
    def is_full(self) -> bool:
        """Whether it is time to store them."""
        return self._size_bytes >= MOST_BYTES

    def add(
        self,
        data: bytes,
        place: tuple[list[bytes], int],
        name: bytes,
        status: os.stat_result,
        attributes: Attributes,
    ) -> None:
        """Take a file; `place` is the list that its node goes into, and where in it."""
        self._data.append(data)
        self._size_bytes += len(data)
        self._entries.append((*place, name, status, attributes))

    def store(self) -> None:
        """Store all files and put their nodes in their places."""
        data, self._data, self._size_bytes = self._data, [], 0
        entries, self._entries = self._entries, []
        if not data:
            return
        with storing():
            identities = self._sink.add_small(data)
        for (nodes, number, name, status, attributes), identity in zip(
            entries, identities, strict=True
        ):
            nodes[number] = encode_entry(
                name, status, attributes, size_bytes=status.st_size, content=(identity,)
            )
