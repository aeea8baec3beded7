"""The archive: stretches of the chain in Vaults, each sealed and written once.

A stretch is an anchor, too: its last line fixes everything before it. Where a Vault keeps objects
from being deleted, it keeps these.
"""

import zlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from appshield.audit.chain import Chain, Head, digest_of, read_entry
from appshield.errors import DamagedError


class Segment(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One stretch of a chain in a Vault, by what its name says."""

    chain: str
    first: int
    last: int
    vault: str

    @property
    def name(self) -> str:
        """What the object is called, for a person."""
        return f"audit/{self.chain}/{self.first:012d}-{self.last:012d} in Vault {self.vault}"


class Archive(Protocol):
    """What was archived, in all Vaults that could be read."""

    @property
    def segments(self) -> Sequence[Segment]:
        """Every stretch, in the order of chains and entries."""
        ...

    @property
    def vaults(self) -> frozenset[str]:
        """The Vaults that were read."""
        ...

    async def read(self, segment: Segment) -> bytes:
        """Give what was archived, as `pack` made it.

        Raises:
            DamagedError: the object is not what was written there.
        """
        ...


def pack(lines: Sequence[bytes]) -> bytes:
    """Write lines as an object holds them."""
    return zlib.compress(b"\n".join(lines))


def unpack(content: bytes, segment: Segment) -> list[bytes]:
    """Read the lines of a stretch, and see that they follow each other from its first to its last.

    Raises:
        DamagedError: they do not.
    """
    try:
        lines = zlib.decompress(content).split(b"\n")
        before = read_entry(lines[0])
    except (zlib.error, DamagedError) as error:
        raise DamagedError(f"{segment.name} cannot be read") from error
    chain = Chain(Head(chain=segment.chain, sequence=segment.first - 1, digest=before.previous))
    broken = [found for line in lines if (found := chain.take(line)) is not None]
    if broken or chain.head.sequence != segment.last:
        raise DamagedError(
            f"{segment.name} does not hold entries {segment.first} to {segment.last}"
        )
    return lines


def digest_before(lines: Sequence[bytes]) -> str:
    """Give the digest that the first of these lines names."""
    return read_entry(lines[0]).previous


def digests(lines: Sequence[bytes]) -> list[str]:
    """Give the digest of each line."""
    return [digest_of(line) for line in lines]
