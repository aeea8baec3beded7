"""How answers are compressed: with zstd for those who know it, with gzip for all others."""

from io import BytesIO
from typing import ClassVar

import zstandard
from litestar.config.compression import CompressionConfig
from litestar.enums import CompressionEncoding
from litestar.middleware.compression.facade import CompressionFacade

UNCOMPRESSED = "uncompressed"
"""Marks a route whose answers are sent as they are: files with ranges, and streams."""
_SMALLEST_BYTES = 1024
_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3


class ZstdCompression(CompressionFacade):
    """Zstandard (RFC 8878), flushed with each piece so that streams stay live."""

    encoding: ClassVar[str] = "zstd"

    def __init__(
        self,
        buffer: BytesIO,
        compression_encoding: CompressionEncoding | str,  # noqa: ARG002 - it is ours
        config: CompressionConfig,  # noqa: ARG002 - it says nothing of zstd
    ) -> None:
        self._buffer = buffer
        self._compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()

    def write(self, body: bytes) -> None:
        """Compress a piece."""
        self._buffer.write(self._compressor.compress(body))
        self._buffer.write(self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))

    def close(self) -> None:
        """End the frame."""
        self._buffer.write(self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH))


def compression() -> CompressionConfig:
    """Say what is compressed: all but small answers and routes that are marked."""
    return CompressionConfig(
        backend=ZstdCompression.encoding,
        compression_facade=ZstdCompression,
        minimum_size=_SMALLEST_BYTES,
        gzip_compress_level=_GZIP_LEVEL,
        exclude_opt_key=UNCOMPRESSED,
    )
