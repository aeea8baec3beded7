"""Ranges of packs: one request brings a blob and its neighbours, which are mostly wanted next."""

import threading
from collections import OrderedDict
from typing import Final

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError, ObjectStore
from appshield.repository.layout import file_name

READ_AHEAD_BYTES: Final = 4 << 20
MOST_RANGES: Final = 8
"""Together at most 32 MiB, or a little more when single blobs are larger than that."""


class PackRanges:
    """Reads parts of packs and keeps the last few; thread-safe."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._changing = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def read(self, pack_id: str, *, offset: int, length: int, pack_size: int) -> memoryview:
        """Return `length` bytes of a pack.

        Raises:
            DamagedError: the pack is missing or too short.
        """
        kept = self._find(pack_id, offset, length)
        if kept is not None:
            return kept
        wanted = max(length, min(READ_AHEAD_BYTES, pack_size - offset))
        name = file_name("data", pack_id)
        try:
            part = self._store.get(name, offset=offset, length=wanted)
        except ObjectMissingError as error:
            raise DamagedError(f"{name} is missing") from error
        if len(part) < length:
            raise DamagedError(f"{name} is cut off", why=f"no {length} bytes at offset {offset}")
        with self._changing:
            self._kept[pack_id, offset] = part
            while len(self._kept) > MOST_RANGES:
                self._kept.popitem(last=False)
        return memoryview(part)[:length]

    def _find(self, pack_id: str, offset: int, length: int) -> memoryview | None:
        with self._changing:
            for (kept_pack, start), part in self._kept.items():
                if kept_pack == pack_id and start <= offset <= start + len(part) - length:
                    self._kept.move_to_end((kept_pack, start))
                    return memoryview(part)[offset - start :][:length]
        return None
