"""Small files that only their owner can read, replaced in one step; settings in JSON."""

import os
import secrets
from pathlib import Path
from typing import TypeVar

import msgspec

from appshield.errors import DamagedError

T = TypeVar("T")


def read_private(file: Path, kind: type[T]) -> T | None:
    """Return what the file holds, None when there is no file.

    Raises:
        DamagedError: it holds something else.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise DamagedError(
            f"{file} is not what AppShield wrote there", next_step="Remove it, or restore it"
        ) from error


def write_private(file: Path, value: msgspec.Struct) -> None:
    """Write a value; as `write_private_bytes`."""
    write_private_bytes(file, msgspec.json.format(msgspec.json.encode(value)))


def write_private_bytes(file: Path, content: bytes) -> None:
    """Write the file so that it is there whole or not at all, readable by its owner alone."""
    unnamed = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    unnamed.replace(file)
