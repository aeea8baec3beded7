"""What is in the store against what the index names: packs that are missing, wrong or unnamed."""

from collections.abc import Iterable

import msgspec

from appshield.repository.index import Index


class WrongPack(msgspec.Struct, frozen=True):
    """A pack that is not as the index says; `found_bytes` is None when it is missing."""

    pack_id: str
    found_bytes: int | None
    wanted_bytes: int

    def __str__(self) -> str:
        if self.found_bytes is None:
            return f"pack {self.pack_id} is missing"
        return f"pack {self.pack_id} has {self.found_bytes} bytes instead of {self.wanted_bytes}"


class Comparison(msgspec.Struct, frozen=True):
    """Wrong packs by their row in the index, and packs (id, size) that no index names."""

    wrong: dict[int, WrongPack]
    unnamed: dict[str, int]


def compare_packs(stored: Iterable[tuple[str, int]], index: Index) -> Comparison:
    """Compare the packs in a store (id, size) with an index that was loaded before."""
    packs = index.tables.packs
    seen = bytearray(len(packs))
    wrong: dict[int, WrongPack] = {}
    unnamed: dict[str, int] = {}
    for pack_id, size_bytes in stored:
        row = packs.find(bytes.fromhex(pack_id))
        if row < 0:
            if index.pack_size(pack_id) is None:  # else it was added after the index was loaded
                unnamed[pack_id] = size_bytes
            continue
        seen[row] = 1
        if size_bytes != packs.sizes[row]:
            wrong[row] = WrongPack(pack_id, size_bytes, packs.sizes[row])
    missing = seen.find(0)
    while missing >= 0:
        wrong[missing] = WrongPack(packs.identity(missing).hex(), None, packs.sizes[missing])
        missing = seen.find(0, missing + 1)
    return Comparison(wrong, unnamed)
