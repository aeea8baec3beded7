"""What a worker needs to know before its first job, as one value that is sent to it.

It holds secrets: it travels over a socket only, never on a command line, and shows none of them.
"""

import msgspec

from appshield.objectstore import StoreAccess
from appshield.repository.crypto import SealingKey
from appshield.repository.settings import PackSettings


class KeyParts(msgspec.Struct, frozen=True):
    """The parts of a sealing key."""

    encrypt: bytes
    mac_k: bytes
    mac_r: bytes

    def __repr__(self) -> str:
        return "<parts of a sealing key>"

    @classmethod
    def of(cls, key: SealingKey) -> "KeyParts":
        """Take a key apart."""
        return cls(key.encrypt, key.mac_k, key.mac_r)

    def key(self) -> SealingKey:
        """Put the key together."""
        return SealingKey(encrypt=self.encrypt, mac_k=self.mac_k, mac_r=self.mac_r)


class WorkerSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Where a worker works, with which key, and how it packs."""

    store: StoreAccess
    key: KeyParts
    packs: PackSettings = PackSettings()


class Start(msgspec.Struct, frozen=True):
    """What the parent of the workers is told; `memory` names the descriptors beside it."""

    setup: WorkerSetup
    memory: tuple[str, ...]
