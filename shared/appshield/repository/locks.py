"""Locks, exactly as restic's, so that restic may work on the same repository at the same time.

A lock is a sealed file in `locks/`. Any number of shared locks go together; an exclusive lock goes
with no other. To acquire: look, write the own lock, wait a moment, look again. Who writes a shared
lock looks at once, too, and begins where that shows the own one (ADR 56); what the look after the
wait shows ends it as it would end restic (ADR 79). A holder writes a new lock every five minutes
and then deletes the one before.

A lock that has grown old still counts, as it does for restic: its holder may be asleep, and goes on
when it wakes and finds its lock. A foreign lock is never removed here. A dead worker's own lock is
removed by its successor, who knows its id: `record` is told each id before the lock is written.
"""

import contextlib
import datetime as dt
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec

from appshield.errors import AppShieldError, DamagedError, UnavailableError
from appshield.objectstore import ObjectMissingError, ObjectStore
from appshield.repository.layout import file_name, list_files
from appshield.repository.unpacked import SealedFile, SealedFiles

MOST_LOOKS: Final = 20
"""How often locks that vanish while they are read make us look again."""

MOST_CLOCK_SKEW_S: Final = 60.0
"""A lock from further in the future is the work of a wrong clock, which is then said."""


class Lockable(Protocol):
    """A repository, as far as locking needs one."""

    @property
    def store(self) -> ObjectStore:
        """Where its files are."""
        ...

    @property
    def sealed_files(self) -> SealedFiles:
        """What seals its documents."""
        ...


class LockDocument(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A lock file; the field names are restic's."""

    time: dt.datetime
    exclusive: bool
    hostname: str
    username: str
    pid: int
    uid: int = 0
    gid: int = 0


class LockTiming(msgspec.Struct, frozen=True):
    """The protocol's times in seconds; restic's, but for tests."""

    settle_s: float = 0.2
    reread_s: tuple[float, ...] = (5.0, 10.0, 20.0)
    refresh_s: float = 300.0
    lost_after_s: float = 1200.0


class RepositoryLockedError(UnavailableError):
    """Somebody holds a lock that does not go together with the one that was wanted."""

    def __init__(self, holder: str, *, age_s: float, exclusive: bool) -> None:
        kind = "an exclusive" if exclusive else "a"
        if age_s < -MOST_CLOCK_SKEW_S:
            why = f"{kind} lock from {-age_s:.0f} s in the future: its clock or ours is wrong"
            next_step = "Set the clock right, then as for any lock: wait, or run `restic unlock`"
        else:
            why = f"it holds {kind} lock that was last renewed {age_s:.0f} s ago"
            next_step = "Wait until it is done; if it has died, run `restic unlock`"
        super().__init__(f"the repository is locked by {holder}", why=why, next_step=next_step)
        self.holder = holder
        self.age_s = age_s


class LockLostError(UnavailableError):
    """The own lock is gone or too old: others may change the repository, nothing may be written."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "the lock of the repository is lost", why=why, next_step="Start the work again"
        )


def remove_lock(store: ObjectStore, lock_id: str) -> None:
    """Remove the lock of a worker that is known to be dead; fine when it is gone."""
    store.delete(file_name("locks", lock_id))


class RepositoryLock:
    """A lock that is held, and renewed by a thread of its own until `release`; thread-safe."""

    def __init__(
        self,
        repository: Lockable,
        *,
        exclusive: bool,
        owner: str,
        record: Callable[[str], None] | None,
        timing: LockTiming,
    ) -> None:
        self.exclusive = exclusive
        self._repository = repository
        self._owner = owner
        self._record = record
        self._timing = timing
        self._changing = threading.Lock()
        self._released = threading.Event()
        self._settled = threading.Event()
        self._conflict: AppShieldError | None = None
        self._lost: LockLostError | None = None
        self._lock_id = ""
        self._superseded: list[str] = []
        self._renewed = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._renewed_at_s = 0.0
        self._renewing = threading.Thread(
            target=self._keep_renewing, name=f"lock of {owner}", daemon=True
        )

    @classmethod
    def acquire(
        cls,
        repository: Lockable,
        *,
        exclusive: bool = False,
        owner: str,
        record: Callable[[str], None] | None = None,
        timing: LockTiming | None = None,
        settle_later: bool = False,
    ) -> Self:
        """Acquire a lock for `owner`, shown to others as host `appshield-<owner>`.

        `record` is called with the id of each lock before it is written, renewals included, then
        from the lock's own thread; when it raises, that lock is not written.

        With `settle_later` it returns before the second look: `ensure_settled`, and all that asks
        whether the lock is good, waits for that and raises what is listed here. Until then reading
        is a guess, to be made again if it was wrong.

        Raises:
            RepositoryLockedError: somebody holds a lock that forbids it.
            DamagedError: a lock file cannot be read, so nobody knows what it forbids.
        """
        timing = timing or LockTiming()
        lock = cls(repository, exclusive=exclusive, owner=owner, record=record, timing=timing)
        _refuse_conflicts(repository, exclusive=exclusive, own="", timing=timing)
        try:
            lock._count_from(*lock._write_new())
        except BaseException:
            with contextlib.suppress(AppShieldError):
                lock._remove(lock.lock_id)
            raise
        lock._renewing.start()
        if not settle_later:
            try:
                lock.ensure_settled()
            except BaseException:
                with contextlib.suppress(AppShieldError):
                    lock.release()
                raise
        return lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    @property
    def lock_id(self) -> str:
        """The id of the lock file that counts now; it changes with every renewal."""
        return self._lock_id

    @property
    def is_settled(self) -> bool:
        """Whether the second look has been taken, whatever it has shown."""
        return self._settled.is_set()

    def ensure_settled(self) -> None:
        """Wait for the second look; raises as `acquire` what it has shown."""
        self._settled.wait()
        if self._conflict is not None:
            raise self._conflict

    def ensure_fresh(self) -> None:
        """Raise LockLostError if the lock is known to be lost; asks no store, for every pack."""
        self.ensure_settled()
        if self._lost is not None:
            raise self._lost
        age_s = self._own_age_s()
        if age_s > self._timing.lost_after_s:
            raise LockLostError(f"it could not be renewed for {age_s:.0f} s")

    def fresh_for_s(self) -> float:
        """Return for how long `ensure_fresh` would go on to agree without a renewal; 0 if lost."""
        if self._lost is not None or not self.is_settled:
            return 0.0
        return max(0.0, self._timing.lost_after_s - _age_s(self._renewed))

    def ensure_held(self) -> None:
        """Read the own lock again; call it before each index and snapshot is written.

        Raises:
            LockLostError: it is gone, or too old to be believed by others for much longer.
        """
        with self._changing:
            self.ensure_fresh()
            try:
                document = self._repository.sealed_files.load("locks", self._lock_id, LockDocument)
            except ObjectMissingError as error:
                raise self._lose("somebody has removed it") from error
            if _age_s(document.time) > self._timing.lost_after_s:
                raise LockLostError(f"it was last renewed {_age_s(document.time):.0f} s ago")

    def renew(self) -> None:
        """Write a new lock, then delete the old one.

        A lock that was removed is not renewed, nor one that grew old while this process was
        stopped: the old one is looked at before and after the new one is written.

        Raises:
            LockLostError: from now on the lock is lost for good.
        """
        with self._changing:
            old = self._lock_id
            self._ensure_renewable(old)
            renewed, renewed_at_s = self._write_new()
            try:
                self._ensure_renewable(old)
            except LockLostError:
                self._remove(self._lock_id)
                raise
            self._count_from(renewed, renewed_at_s)
            self._remove(old)

    def release(self) -> None:
        """Stop renewing and remove the lock. May be called twice."""
        self._released.set()
        if self._renewing.is_alive():
            self._renewing.join()
        with self._changing:
            if self._lost is None:
                self._lose("it was released")
            self._remove(self._lock_id)

    def _ensure_renewable(self, lock_id: str) -> None:
        if self._lost is None and self._repository.store.size(file_name("locks", lock_id)) is None:
            self._lose("somebody has removed it")
        if self._lost is None and self._own_age_s() > self._timing.lost_after_s:
            self._lose(f"it could not be renewed for {self._own_age_s():.0f} s")
        if self._lost is not None:
            raise self._lost

    def _lose(self, why: str) -> LockLostError:
        self._lost = LockLostError(why)
        return self._lost

    def _own_age_s(self) -> float:
        """The greater of two clocks: one stops in sleep, the other can be set back."""
        return max(_age_s(self._renewed), time.monotonic() - self._renewed_at_s)

    def _count_from(self, renewed: dt.datetime, renewed_at_s: float) -> None:
        self._renewed, self._renewed_at_s = renewed, renewed_at_s

    def _write_new(self) -> tuple[dt.datetime, float]:
        """Return the moment from which the new lock counts, by two clocks."""
        now_s = time.monotonic()
        document = LockDocument(
            time=dt.datetime.now(dt.UTC),
            exclusive=self.exclusive,
            hostname=f"appshield-{self._owner}",
            username="appshield",
            pid=os.getpid(),
        )
        file: SealedFile = self._repository.sealed_files.seal(document)
        if self._record is not None:
            self._record(file.identity)
        try:
            self._repository.sealed_files.put("locks", file)
        except AppShieldError:
            self._superseded.append(file.identity)  # its answer may be lost and the lock be there
            raise
        self._lock_id = file.identity
        return document.time, now_s

    def _remove(self, lock_id: str) -> None:
        """Remove this lock, and those that could not be removed before."""
        if lock_id:
            self._superseded.append(lock_id)
        while self._superseded:
            remove_lock(self._repository.store, self._superseded[-1])
            self._superseded.pop()

    def _settle(self) -> None:
        """Look a second time: a lock that was written in the same moment shows.

        Whoever is alone in a repository waits before, as restic does. Others may begin earlier, if
        the list is no older than their own lock: who writes an exclusive one later finds theirs.
        They look once more when restic does.
        """
        self._conflict = LockLostError("it was released before it had settled")
        try:
            if not self.exclusive and self._sees_itself_alone():
                self._conflict = None
                self._settled.set()
            if self._released.wait(self._timing.settle_s):
                return
            self._sees_itself()
            self._conflict = None
        except AppShieldError as error:
            self._conflict = error
            self._lose("it does not go together with another")
            with contextlib.suppress(AppShieldError):
                self._remove(self._lock_id)
        finally:
            self._settled.set()

    def _sees_itself_alone(self) -> bool:
        """Tell whether the own lock is listed, and none that does not go with it."""
        try:
            return self._sees_itself()
        except RepositoryLockedError:
            return False  # it may be gone when it counts: who wrote it sees ours, too

    def _sees_itself(self) -> bool:
        """Tell whether the own lock is listed; raises as `acquire` what else is."""
        return _refuse_conflicts(
            self._repository, exclusive=self.exclusive, own=self._lock_id, timing=self._timing
        )

    def _keep_renewing(self) -> None:
        self._settle()
        while not self._released.wait(self._timing.refresh_s):
            try:
                self.renew()
            except LockLostError:
                return
            except AppShieldError:
                continue  # tried again at the next turn; `ensure_fresh` sees when it is too late


def _refuse_conflicts(
    repository: Lockable, *, exclusive: bool, own: str, timing: LockTiming
) -> bool:
    """Raise RepositoryLockedError if another lock does not go with ours; tell if `own` is there."""
    waits = iter(timing.reread_s)
    for _ in range(MOST_LOOKS):
        try:
            return _look(repository, exclusive=exclusive, own=own)
        except ObjectMissingError:
            continue  # renewed or released since it was listed: look again at once
        except DamagedError:
            # perhaps its writer is not done yet; restic waits as long for it
            wait_s = next(waits, None)
            if wait_s is None:
                raise
            time.sleep(wait_s)  # the thread that acquires blocks, as restic does
    raise UnavailableError("the locks of the repository change too fast to be read")


def _look(repository: Lockable, *, exclusive: bool, own: str) -> bool:
    found_own = False
    for identity, size_bytes in list_files(repository.store, "locks"):
        if identity == own:
            found_own = True
            continue
        if size_bytes == 0:
            continue  # an empty file is an upload that was cut off, restic passes over it too
        document = repository.sealed_files.load("locks", identity, LockDocument)
        if exclusive or document.exclusive:
            raise RepositoryLockedError(
                f"{document.username}@{document.hostname} (process {document.pid})",
                age_s=_age_s(document.time),
                exclusive=document.exclusive,
            )
    return found_own


def _age_s(renewed: dt.datetime) -> float:
    return (dt.datetime.now(dt.UTC) - renewed).total_seconds()
