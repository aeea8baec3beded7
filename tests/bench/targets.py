"""Where repositories are: a local folder, or a bucket of the embedded S3 server.

Each has a fresh state when it is opened and none when it is closed. A repository is named by a
path below it, and each of the three programs is told the same place in its own words.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, Protocol

from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore
from bench.measuring import cpu_of

TargetName = Literal["s3", "folder"]


class Target(Protocol):
    """A place for repositories."""

    def folder(self, repository: str) -> Path | None:
        """Return the folder of a repository, None where it is in a bucket."""
        ...

    def bucket(self, repository: str) -> tuple[S3Location, S3Credentials] | None:
        """Return the place of a repository in a bucket, None where it is a folder."""
        ...

    def stored_bytes(self, repository: str) -> int:
        """Return the size of all objects of a repository."""
        ...

    def server_cpu_s(self) -> float | None:
        """Return the CPU time that the server has taken so far; None where there is none."""
        ...


class LocalFolder:
    """Repositories as folders."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, repository: str) -> Path:
        """See Target."""
        return self._root / repository

    def bucket(self, repository: str) -> None:
        """See Target."""

    def stored_bytes(self, repository: str) -> int:
        """See Target."""
        return sum(f.stat().st_size for f in self.folder(repository).rglob("*") if f.is_file())

    def server_cpu_s(self) -> None:
        """See Target."""


class Bucket:
    """Repositories as folders of a bucket of the embedded S3 server."""

    def __init__(self, server: EmbeddedObjectStore) -> None:
        self._server = server

    def folder(self, repository: str) -> None:
        """See Target."""

    def bucket(self, repository: str) -> tuple[S3Location, S3Credentials]:
        """See Target."""
        return self._server.location(prefix=repository), self._server.credentials

    def stored_bytes(self, repository: str) -> int:
        """See Target."""
        store = S3ObjectStore(*self.bucket(repository))
        try:
            return sum(found.size_bytes for found in store.list(""))
        finally:
            store.close()

    def server_cpu_s(self) -> float:
        """See Target."""
        assert self._server.pid is not None, "the S3 server does not run"
        return cpu_of(self._server.pid)


@asynccontextmanager
async def opened(name: TargetName, work: Path) -> AsyncIterator[Target]:
    """Give an empty target and remove everything afterwards."""
    root = work / f"target-{name}"
    await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        if name == "folder":
            yield LocalFolder(root)
        else:
            async with EmbeddedObjectStore(root) as server:
                yield Bucket(server)
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
