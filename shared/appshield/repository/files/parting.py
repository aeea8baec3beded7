"""A large file in parts of `reading.PART_BYTES`, stored by different workers."""

import errno
import os
from collections.abc import Callable
from functools import partial

from appshield.repository.files.descriptors import open_regular
from appshield.repository.files.entry_jobs import PartStored, StorePart
from appshield.repository.files.metadata import encode_entry, read_attributes
from appshield.repository.files.problems import ProblemKind, kind_of_error
from appshield.repository.files.reading import PART_BYTES, FileReader, difference
from appshield.repository.files.sparse import is_hole, is_sparse
from appshield.repository.nodes import BlobSink
from appshield.repository.workers.ports import JobPool


class PartedFile:
    """One large file, open until its last part is stored."""

    def __init__(self, directory: int, name: bytes, device: int) -> None:
        self.name = name
        self.problems: list[tuple[ProblemKind, str]] = []
        self.size_bytes = 0
        self.bytes_read = 0
        self._descriptor, self._before = open_regular(name, directory)
        if self._before.st_dev != device:
            self.close()
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        self._attributes, lost = read_attributes(self._descriptor)
        self.problems += (("attribute", sentence) for sentence in lost)
        self._parts: list[PartStored | None] = []
        self._missing = 0

    def store(
        self,
        pool: JobPool,
        sink: BlobSink,
        advance: Callable[[int], None],
        done: "Callable[[PartedFile], None]",
    ) -> None:
        """Give all parts away; holes are stored here. `done` is called when all are stored."""
        size = self._before.st_size
        sparse = is_sparse(self._before)
        holes = FileReader(sink, advance)
        borders = [(at, min(at + PART_BYTES, size)) for at in range(0, size, PART_BYTES)]
        self._parts = [None] * len(borders)
        self._missing = len(borders) + 1
        for number, (start, end) in enumerate(borders):
            if sparse and is_hole(self._descriptor, start, end):
                self._take(number, done, PartStored(holes.store_hole(start, end), end))
                continue
            pool.submit(
                StorePart(start, end, sparse),
                (self._descriptor,),
                done=partial(self._take, number, done),
            )
        self._end_part(done)

    def node(self) -> bytes:
        """Return the encoded node, empty if the file could not be read; closes the file."""
        content: list[bytes] = []
        try:
            for number, part in enumerate(self._parts):
                assert part is not None
                if part.failure:
                    error = OSError(part.failure, os.strerror(part.failure))
                    self.problems.append(kind_of_error(error))
                    return b""
                content += part.content
                self.size_bytes = part.end
                if part.end < min((number + 1) * PART_BYTES, self._before.st_size):
                    break  # cut off here: what others have read behind it was never at its place
            changed = difference(self._before, os.fstat(self._descriptor), self.size_bytes)
            if changed is not None:
                self.problems.append(changed)
        finally:
            self.close()
        return encode_entry(
            self.name,
            self._before,
            self._attributes,
            size_bytes=self.size_bytes,
            content=content,
        )

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, number: int, done: "Callable[[PartedFile], None]", part: PartStored) -> None:
        self._parts[number] = part
        self.bytes_read += part.bytes_read
        self._end_part(done)

    def _end_part(self, done: "Callable[[PartedFile], None]") -> None:
        self._missing -= 1
        if not self._missing:
            done(self)
