"""What frameworks keep compressed in their objects, unpacked within bounds. Pure."""

import base64
import io
import zlib

UNPACKED_MAX_BYTES = 16 * 1024 * 1024
"""More than any object that the API server takes comes to."""
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_BEGINS = b"\x1f\x8b\x08"
_ZSTD_WINDOW_MAX_BYTES = 32 * 1024 * 1024


def unpack(text: str, *, compression: str = "") -> bytes:
    """Return the content of base64 text, uncompressed.

    Args:
        text: base64.
        compression: gzip or zstd. By default what the content begins with says it: gzip or nothing.

    Raises:
        ValueError: it is neither, or larger than `UNPACKED_MAX_BYTES`.
    """
    try:
        content = _unpacked(base64.b64decode(text, validate=True), compression)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(content) > UNPACKED_MAX_BYTES:
        raise ValueError(f"it is larger than {UNPACKED_MAX_BYTES >> 20} MiB")
    return content


def _unpacked(packed: bytes, compression: str) -> bytes:
    """Unpack one byte more than is allowed at most."""
    limit = UNPACKED_MAX_BYTES + 1
    if compression == "zstd":
        return _of_zstd(packed, limit)
    if compression == "gzip" or packed.startswith(_GZIP_BEGINS):
        return zlib.decompressobj(_GZIP).decompress(packed, limit)
    if compression:
        raise ValueError(f"{compression[:20]!r} is no compression that AppShield knows")
    return packed


def _of_zstd(packed: bytes, limit: int) -> bytes:
    import zstandard

    unpacking = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_MAX_BYTES)
    try:
        return unpacking.stream_reader(io.BytesIO(packed)).read(limit)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
