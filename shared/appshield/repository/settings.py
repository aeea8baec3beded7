"""Settings of writing: typed values with defaults that were measured."""

import msgspec

from appshield.repository.compression import LEVEL
from appshield.repository.packs import PACK_BYTES


class PackSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How blobs become packs.

    `verify` decodes each blob again before it counts; `level` is zstd's; a pack is closed when it
    has `pack_bytes`; each process uploads with `upload_threads`.
    """

    verify: bool = True
    level: int = LEVEL
    pack_bytes: int = PACK_BYTES
    upload_threads: int = 2
