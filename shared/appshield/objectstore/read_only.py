"""A store that is only read, whatever its credentials would allow."""

import dataclasses
from collections.abc import Iterator

from appshield.errors import RefusedError
from appshield.objectstore.content import Content
from appshield.objectstore.port import ObjectFacts, ObjectStore
from appshield.objectstore.streaming import RangeReader


@dataclasses.dataclass(frozen=True)
class ReadOnlyStore:
    """Passes reads on to `inner` and refuses every write; `name` says whose rule that is."""

    inner: ObjectStore
    name: str

    def put(
        self,
        name: str,  # noqa: ARG002 - the port's
        data: Content,  # noqa: ARG002 - the port's
        *,
        only_if_absent: bool = False,  # noqa: ARG002 - the port's
        sha256: str | None = None,  # noqa: ARG002 - the port's
    ) -> None:
        """See ObjectStore.put."""
        raise self._refusal()

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore.get."""
        return self.inner.get(name, offset=offset, length=length)

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        """See ObjectStore.open_range."""
        return self.inner.open_range(name, offset=offset, length=length)

    def size(self, name: str) -> int | None:
        """See ObjectStore.size."""
        return self.inner.size(name)

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        """See ObjectStore.list."""
        return self.inner.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.folders."""
        return self.inner.folders(prefix)

    def delete(self, name: str) -> None:  # noqa: ARG002 - the port's
        """See ObjectStore.delete."""
        raise self._refusal()

    def _refusal(self) -> RefusedError:
        return RefusedError(f"{self.name} is read only")
