"""What a worker needs to know before its first job, as one value that is sent to it.

It holds secrets: it travels over a socket only, never on a command line, and shows none of them.
"""

import msgspec

from appshield.objectstore import StoreAccess
from appshield.repository.keys import KeyParts
from appshield.repository.settings import PackSettings


class WorkerSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Where a worker works, with which key, and how it packs."""

    store: StoreAccess
    key: KeyParts
    packs: PackSettings = PackSettings()


class Start(msgspec.Struct, frozen=True):
    """What the parent of the workers is told; `memory` names the descriptors beside it."""

    setup: WorkerSetup
    memory: tuple[str, ...]
