"""How to open a store in another process: a plain value that can be sent to a worker.

`access_of(store)` tells it for a store that is open, `open_store(access)` opens it again, wherever
that is. Secrets appear in no representation of the value; it belongs into no log and no message.
"""

from pathlib import Path

import msgspec

from appshield.objectstore.folder import FolderObjectStore
from appshield.objectstore.location import S3Credentials, S3Location
from appshield.objectstore.port import ObjectStore, folder_of
from appshield.objectstore.read_only import ReadOnlyStore
from appshield.objectstore.retention import Retention
from appshield.objectstore.s3 import S3ObjectStore


class S3Access(msgspec.Struct, frozen=True, tag="s3"):
    """A folder in a bucket, and who asks."""

    location: S3Location
    credentials: S3Credentials
    read_only_for: str = ""
    """Whose rule it is that nothing may be written; empty where writing is allowed."""
    retention: Retention | None = None
    """What is kept from being deleted as soon as it is written."""

    def below(self, folder: str) -> "S3Access":
        """Return the access to a folder of this one."""
        prefix = folder_of(self.location.prefix) + folder
        return msgspec.structs.replace(
            self, location=msgspec.structs.replace(self.location, prefix=prefix)
        )


class FolderAccess(msgspec.Struct, frozen=True, tag="folder"):
    """A folder of a local disk, as an absolute path."""

    folder: str

    def below(self, folder: str) -> "FolderAccess":
        """Return the access to a folder of this one."""
        return FolderAccess(str(Path(self.folder) / folder))


StoreAccess = S3Access | FolderAccess


def open_store(access: StoreAccess) -> ObjectStore:
    """Open a store; the first question to it tells whether it can be reached."""
    if isinstance(access, FolderAccess):
        return FolderObjectStore(Path(access.folder))
    store = S3ObjectStore(access.location, access.credentials, retention=access.retention)
    return ReadOnlyStore(store, access.read_only_for) if access.read_only_for else store


def access_of(store: ObjectStore) -> StoreAccess | None:
    """Return what opens this store elsewhere; None for one that lives in this process alone.

    A view (`within`) is opened as a store of its own, below its folder.
    """
    if isinstance(store, S3ObjectStore):
        return S3Access(store.location, store.credentials, retention=store.retention)
    if isinstance(store, FolderObjectStore):
        return FolderAccess(str(store.folder))
    if isinstance(store, ReadOnlyStore):
        inner = access_of(store.inner)
        if isinstance(inner, S3Access):
            return msgspec.structs.replace(inner, read_only_for=store.name)
        return inner
    part = getattr(store, "part_of", None)  # a view tells whose part it is
    if part is None:
        return None
    whole = access_of(part[0])
    return None if whole is None else whole.below(part[1])
