"""What is remembered of the objects that rules look at, durably: one key for each of them.

A key that is there says what was last acted on; so what happens while nobody watches is seen later.
In memory stays a digest of each, to know at once what has not changed, and what is small itself:
whoever compares a change need not ask.
"""

import hashlib

import msgspec

from appshield.bus import Bucket, Bus
from appshield.contracts.streams import PROJECTIONS
from appshield.watcher.projecting import Projected

_LISTED = "_listed"
_SMALL_BYTES = 256


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one object for one application: by rule, with the rule's meaning."""

    kind: str
    object: str
    resource_version: str
    rules: dict[str, tuple[str, Projected]]


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    """For which meanings of rules all objects of which kinds have been looked at."""

    meanings: frozenset[str]


class Memory:
    """Reads and writes what is remembered."""

    def __init__(self, bus: Bus) -> None:
        self._all: Bucket[msgspec.Raw] = bus.bucket(PROJECTIONS, msgspec.Raw)
        self._objects: Bucket[Remembered] = bus.bucket(PROJECTIONS, Remembered)
        self._lists: Bucket[_Listed] = bus.bucket(PROJECTIONS, _Listed)
        self._digests: dict[tuple[str, str], bytes] = {}
        self._small: dict[tuple[str, str], bytes] = {}
        self._kinds: dict[str, set[tuple[str, str]]] = {}
        self._apps: dict[str, set[str]] = {}
        self._listed: dict[str, frozenset[str]] = {}

    async def load(self) -> None:
        """Read what was remembered before."""
        async for entry in self._all.items():
            app_id, _, uid = entry.key.partition(".")
            if uid == _LISTED:
                listed = msgspec.json.decode(entry.value, type=_Listed)
                self._listed[app_id] = listed.meanings
            else:
                self._note(app_id, uid, msgspec.json.decode(entry.value, type=Remembered))

    def is_known(self, app_id: str, uid: str, seen: Remembered) -> bool:
        """Say whether this is what is remembered already; the object's version does not matter."""
        return self._digests.get((app_id, uid)) == _digest(seen)

    def apps(self) -> set[str]:
        """Name the applications for which anything is remembered."""
        return {app_id for app_id, _ in self._digests} | self._listed.keys()

    def apps_of(self, uid: str) -> set[str]:
        """Name the applications for which something of an object is remembered."""
        return set(self._apps.get(uid, ()))

    def of_kind(self, kind: str) -> set[tuple[str, str]]:
        """List what is remembered of a kind: applications with uids."""
        return set(self._kinds.get(kind, ()))

    async def get(self, app_id: str, uid: str) -> Remembered | None:
        """Return what is remembered of an object for an application."""
        if (app_id, uid) not in self._digests:
            return None
        if (small := self._small.get((app_id, uid))) is not None:
            return msgspec.json.decode(small, type=Remembered)
        entry = await self._objects.get(f"{app_id}.{uid}")
        return entry.value if entry else None

    async def put(self, app_id: str, uid: str, seen: Remembered) -> None:
        """Remember this of an object instead of what was."""
        await self._objects.put(f"{app_id}.{uid}", seen)
        self._note(app_id, uid, seen)

    async def forget(self, app_id: str, uid: str) -> None:
        """Remember an object no more."""
        await self._objects.delete(f"{app_id}.{uid}")
        self._digests.pop((app_id, uid), None)
        self._small.pop((app_id, uid), None)
        for objects in self._kinds.values():
            objects.discard((app_id, uid))
        apps = self._apps.get(uid, set())
        apps.discard(app_id)
        if not apps:
            self._apps.pop(uid, None)

    def is_listed(self, app_id: str, kind: str, meaning: str) -> bool:
        """Say whether all objects of a kind were looked at for a rule, so that others are new."""
        return f"{kind} {meaning}" in self._listed.get(app_id, frozenset())

    async def put_listed(self, app_id: str, kind: str, meanings: set[str]) -> None:
        """Remember that all objects of a kind were looked at for rules of these meanings."""
        before = self._listed.get(app_id, frozenset())
        of_others = {one for one in before if one.partition(" ")[0] != kind}
        after = frozenset(of_others | {f"{kind} {meaning}" for meaning in meanings})
        if after != before:
            await self._lists.put(f"{app_id}.{_LISTED}", _Listed(meanings=after))
            self._listed[app_id] = after

    async def forget_application(self, app_id: str) -> None:
        """Remember nothing for an application any more."""
        for uid in [uid for app, uid in self._digests if app == app_id]:
            await self.forget(app_id, uid)
        if self._listed.pop(app_id, None) is not None:
            await self._lists.delete(f"{app_id}.{_LISTED}")

    def _note(self, app_id: str, uid: str, seen: Remembered) -> None:
        self._digests[app_id, uid] = _digest(seen)
        written = msgspec.json.encode(seen)
        if len(written) <= _SMALL_BYTES:
            self._small[app_id, uid] = written
        else:
            self._small.pop((app_id, uid), None)
        self._kinds.setdefault(seen.kind, set()).add((app_id, uid))
        self._apps.setdefault(uid, set()).add(app_id)


def _digest(seen: Remembered) -> bytes:
    said = msgspec.json.encode(seen.rules, order="deterministic")
    return hashlib.blake2b(said, digest_size=16).digest()
