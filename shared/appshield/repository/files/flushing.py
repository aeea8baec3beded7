"""Flushing a file system: what was restored must outlive a loss of power before it is believed."""

import ctypes
import os


def flush_file_system(descriptor: int) -> None:
    """Return when all that was written to the file system of this descriptor is on its disk.

    Raises:
        OSError: the disk did not take it.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
