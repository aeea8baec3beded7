"""The documents in force of all applications, for whoever watches what belongs to them."""

from collections.abc import Callable

from appshield.kubernetes import Kind, Object
from appshield.language.in_force import document_in_force
from appshield.language.problems import DocumentError
from appshield.language.resolved import ResolvedApplication
from appshield.language.resolving import resolve

Documents = dict[str, ResolvedApplication]
"""Documents in force, by the uid of their object."""


class DocumentsInForce:
    """The follower of Application objects: it keeps `documents` as they are in the cluster.

    `changed` is called with the uids of those that have become others, after a whole list with all.
    With `while_going` a document counts until its object is gone, else until somebody deletes it.
    """

    metadata_only = False

    def __init__(self, changed: Callable[[list[str]], None], *, while_going: bool = False) -> None:
        self.documents: Documents = {}
        self.complete = False
        self._changed = changed
        self._while_going = while_going

    def keep(self, _kind: Kind, obj: Object) -> tuple[str, ResolvedApplication | None]:
        """See `Follower`: the object's uid, and what its document in force means, if it has one."""
        uid = str(obj["metadata"]["uid"])
        if is_going(obj) and not self._while_going:
            return uid, None
        try:
            return uid, resolve(document_in_force(obj)[1])
        except DocumentError:
            return uid, None

    async def replace(
        self, _kind: Kind, kept: list[tuple[str, ResolvedApplication | None]]
    ) -> None:
        """See `Follower`."""
        before = self.documents
        self.documents = {uid: document for uid, document in kept if document is not None}
        self.complete = True
        self._changed([*before.keys() | self.documents.keys()])

    async def changed(self, _kind: Kind, kept: tuple[str, ResolvedApplication | None]) -> None:
        """See `Follower`."""
        uid, document = kept
        if self.documents.get(uid) == document:
            return  # a status was written
        if document is None:
            self.documents.pop(uid, None)
        else:
            self.documents[uid] = document
        self._changed([uid])

    async def deleted(self, kind: Kind, kept: tuple[str, ResolvedApplication | None]) -> None:
        """See `Follower`."""
        await self.changed(kind, (kept[0], None))

    async def unknown(self, _kind: Kind) -> None:
        """See `Follower`: what was known stays true until it is known better."""


def is_going(obj: Object) -> bool:
    """Say whether an object is being deleted."""
    return bool(obj["metadata"].get("deletionTimestamp"))
