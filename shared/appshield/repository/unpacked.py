"""Sealed files: indexes, snapshots and locks, one sealed JSON document each.

stored = seal(0x02 ‖ zstd(JSON))        what we write
stored = seal(JSON)                     what restic's first format wrote; readable
"""

from typing import Final, TypeVar

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectStore
from appshield.repository.compression import Compression
from appshield.repository.crypto import SealingKey
from appshield.repository.layout import FileKind, file_id, file_name

COMPRESSED: Final = 2

Document = TypeVar("Document")


class SealedFile(msgspec.Struct, frozen=True):
    """The stored bytes of a file, and what they are called."""

    identity: str
    sealed: bytes


class SealedFiles:
    """Seals, writes and reads the documents of one repository; thread-safe."""

    def __init__(self, store: ObjectStore, key: SealingKey) -> None:
        self._store = store
        self._key = key
        self._compression = Compression()

    def seal(self, document: msgspec.Struct) -> SealedFile:
        """Return the bytes to store; each call makes others, of another name."""
        return self.seal_json(msgspec.json.encode(document))

    def seal_json(self, plain: bytes) -> SealedFile:
        """Return the bytes to store of a document that is encoded already."""
        packed = bytes([COMPRESSED]) + self._compression.compress(plain)
        sealed = bytes(self._key.seal(packed))
        return SealedFile(identity=file_id(sealed), sealed=sealed)

    def put(self, kind: FileKind, file: SealedFile) -> None:
        """Store these bytes under their name; a repetition changes nothing."""
        self._store.put(file_name(kind, file.identity), file.sealed)

    def load(self, kind: FileKind, identity: str, document: type[Document]) -> Document:
        """Return a document.

        Raises:
            ObjectMissingError: there is no such file.
            DamagedError: it does not verify; the message names it.
        """
        name = file_name(kind, identity)
        stored = self._store.get(name)
        if file_id(stored) != identity:
            raise DamagedError(f"{name} is damaged", why="its bytes do not match its name")
        try:
            return self.decode(stored, document)
        except DamagedError as error:
            raise DamagedError(f"{name} is damaged", why=str(error)) from error

    def decode(self, sealed: bytes, document: type[Document]) -> Document:
        """Return the document in `sealed`."""
        plain = self._key.open(sealed)
        try:
            return msgspec.json.decode(self._unpack(plain), type=document)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedError("the document cannot be read", why=str(error)) from error

    def _unpack(self, plain: memoryview) -> bytes | memoryview:
        encoding = bytes(plain[:1])
        if encoding in (b"{", b"["):
            return plain
        if encoding != bytes([COMPRESSED]):
            raise DamagedError("the document has an unknown encoding")
        return self._compression.decompress_unknown(plain[1:])
