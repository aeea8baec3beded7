"""Named bytes in a store: one port, three stores that keep its promises.

`port.py` says what a store is. `MemoryObjectStore` serves tests, `FolderObjectStore` a local disk,
`S3ObjectStore` any S3-compatible service; one conformance suite runs on all of them. `bucket.py`
holds what is done to a bucket as a whole.
"""

from appshield.objectstore.access import (
    FolderAccess,
    S3Access,
    StoreAccess,
    access_of,
    open_store,
)
from appshield.objectstore.content import Content, FileContent
from appshield.objectstore.folder import FolderObjectStore
from appshield.objectstore.location import S3Credentials, S3Location
from appshield.objectstore.memory import MemoryObjectStore
from appshield.objectstore.port import (
    ObjectExistsError,
    ObjectFacts,
    ObjectMissingError,
    ObjectRetainedError,
    ObjectStore,
    RetainingStore,
    StoreFullError,
    retaining,
    within,
)
from appshield.objectstore.requests import S3Patience
from appshield.objectstore.retention import LockMode, Retention
from appshield.objectstore.s3 import S3ObjectStore
from appshield.objectstore.streaming import PiecewiseRange, RangeReader

__all__ = [
    "Content",
    "FileContent",
    "FolderAccess",
    "FolderObjectStore",
    "LockMode",
    "MemoryObjectStore",
    "ObjectExistsError",
    "ObjectFacts",
    "ObjectMissingError",
    "ObjectRetainedError",
    "ObjectStore",
    "PiecewiseRange",
    "RangeReader",
    "RetainingStore",
    "Retention",
    "S3Access",
    "S3Credentials",
    "S3Location",
    "S3ObjectStore",
    "S3Patience",
    "StoreAccess",
    "StoreFullError",
    "access_of",
    "open_store",
    "retaining",
    "within",
]
