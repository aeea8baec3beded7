"""A repository: a store and the key to it. Everything that reads or writes starts here."""

import contextlib
import threading
from collections.abc import Iterable

from appshield.errors import DamagedError, DeniedError, NotFoundError, UnavailableError
from appshield.objectstore import ObjectMissingError, ObjectStore
from appshield.repository.config import RepositoryConfig, create_config, open_config
from appshield.repository.crypto import BrokenSealError, SealingKey
from appshield.repository.index import Index, IndexDocument
from appshield.repository.keys import WrongPasswordError, open_key_file, read_key_file
from appshield.repository.known_files import KnownFiles
from appshield.repository.layout import CONFIG, file_name, list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.snapshots import (
    SealedSnapshot,
    SnapshotDocument,
    SnapshotListing,
    UnreadableSnapshot,
    check_sealed,
)
from appshield.repository.unpacked import SealedFile, SealedFiles


class Repository:
    """An opened repository in restic's format, version 2; thread-safe, all calls block."""

    def __init__(
        self,
        store: ObjectStore,
        key: SealingKey,
        config: RepositoryConfig,
        *,
        known: KnownFiles | None = None,
    ) -> None:
        self.store = store
        self.key = key
        self.config = config
        self.sealed_files = SealedFiles(store, key)
        self._index: Index | None = None
        self.known = known or KnownFiles()
        self._loading = threading.Lock()

    def __repr__(self) -> str:
        return f"<repository {self.config.id[:8]} in {self.store!r}>"

    @classmethod
    def create(
        cls, store: ObjectStore, password: str, *, like: "Repository | None" = None
    ) -> "Repository":
        """Create a repository and open it; where there is one already, open that.

        With `like` it cuts files where that one does, so that copies and backups share chunks.
        Any number of creators may race or die: there is one config and one key.

        Raises:
            DeniedError: the one that is there has another password.
        """
        polynomial = like.config.chunker_polynomial if like else ""
        if (key := create_config(store, password, polynomial=polynomial)) is not None:
            with contextlib.suppress(BrokenSealError):  # removed meanwhile, and made by another
                return cls(store, key, open_config(_read_config(store), key))
        return cls.open(store, password)

    @classmethod
    def open(cls, store: ObjectStore, password: str) -> "Repository":
        """Open a repository.

        Raises:
            NotFoundError: there is none.
            DeniedError: the password is wrong.
            InvalidInputError: its format has another version.
            DamagedError: its key files or its config cannot be read.
        """
        stored_config = _read_config(store)
        damaged: list[str] = []
        for identity, _ in list_files(store, "keys"):
            try:
                key = open_key_file(read_key_file(store, identity), password)
                return cls(store, key, open_config(stored_config, key))
            except (WrongPasswordError, ObjectMissingError):
                continue  # the key file of another password, or one just removed
            except DamagedError as error:
                damaged.append(f"{file_name('keys', identity)}: {error}")
        if damaged:
            raise DamagedError(f"{store!r} cannot be opened", why="; ".join(damaged))
        raise DeniedError(
            f"the password does not open the repository in {store!r}",
            next_step="Use the password that it was created with, or one that was added later",
        )

    def again(self, store: ObjectStore) -> "Repository":
        """Open the repository once more, through `store`, with the key that is known; as `anew`.

        Raises:
            NotFoundError: there is none any more.
            BrokenSealError: another one with another key is there.
            InvalidInputError: its format has another version.
        """
        config = open_config(_read_config(store), self.key)
        return Repository(store, self.key, config, known=self.known)

    def anew(self) -> "Repository":
        """Return the same repository, whose index is to be listed again: it may have grown."""
        return Repository(self.store, self.key, self.config, known=self.known)

    @property
    def index(self) -> Index:
        """The index in memory; loaded on first use."""
        with self._loading:
            if self._index is None:
                self._index = self.read_index()
            return self._index

    def load_index(self, identities: Iterable[str] | None = None) -> Index:
        """Load the index anew, to know what others have written and removed since.

        `identities` are its files, when they have been listed already.
        """
        index = self.read_index(identities)
        with self._loading:
            self._index = index
        return index

    def forget_index(self) -> None:
        """Let the next reader load the index anew, since it has grown."""
        with self._loading:
            self._index = None

    def read_index(self, identities: Iterable[str] | None = None) -> Index:
        """Return the sum of all index files as they are now, or of these; others never see it."""
        if identities is None:
            identities = (identity for identity, _ in list_files(self.store, "index"))
        return self.known.index(identities, self.read_index_file)

    def read_index_file(self, identity: str) -> IndexDocument:
        """Return one index file.

        Raises:
            DamagedError: it does not verify.
            UnavailableError: it vanished, since somebody is rewriting the index.
        """
        try:
            return self.sealed_files.load("index", identity, IndexDocument)
        except ObjectMissingError as error:
            raise UnavailableError(
                f"{file_name('index', identity)} vanished while the index was read",
                why="another client is rewriting the index",
                next_step="Try again when it is done",
            ) from error

    def publish_snapshot(
        self, snapshot: SealedSnapshot, *, lock: RepositoryLock | None = None
    ) -> None:
        """Put exactly these bytes under their name; a repetition changes nothing.

        Raises:
            LockLostError: `lock` is given and not held any more; nothing was written.
            DamagedError: the bytes were not sealed for this repository.
        """
        document = check_sealed(self, snapshot)
        if lock is not None:
            lock.ensure_held()
        self.sealed_files.put("snapshots", SealedFile(snapshot.snapshot_id, snapshot.sealed))
        self.known.documents[snapshot.snapshot_id] = document

    def list_snapshots(self) -> SnapshotListing:
        """Read all snapshots and return them, oldest first; unreadable ones apart, by name."""
        return self._list_snapshots({})

    def snapshots(self) -> list[tuple[str, SnapshotDocument]]:
        """Return id and document of each readable snapshot, oldest first.

        What was read before is not read again: the name of a document says what is in it.
        """
        return list(self._list_snapshots(self.known.documents).readable)

    def _list_snapshots(self, known: dict[str, SnapshotDocument]) -> SnapshotListing:
        """List the snapshots; documents that are not known yet are read, and are known then."""
        unreadable: list[UnreadableSnapshot] = []
        there: dict[str, SnapshotDocument] = {}
        for identity, _ in list_files(self.store, "snapshots"):
            try:
                there[identity] = known.get(identity) or self.sealed_files.load(
                    "snapshots", identity, SnapshotDocument
                )
            except ObjectMissingError:
                continue  # forgotten by another client since it was listed
            except DamagedError as error:
                unreadable.append(UnreadableSnapshot(identity, str(error)))
        known.clear()
        known.update(there)
        readable = sorted(there.items(), key=lambda found: (found[1].time, found[0]))
        return SnapshotListing(tuple(readable), tuple(unreadable))

    def snapshots_with_tag(self, tag: str) -> list[tuple[str, SnapshotDocument]]:
        """Return the readable snapshots that carry this tag, oldest first."""
        return [found for found in self.snapshots() if tag in found[1].tags]


def _read_config(store: ObjectStore) -> bytes:
    try:
        return store.get(CONFIG)
    except ObjectMissingError as error:
        raise NotFoundError(
            f"there is no repository in {store!r}", why="it has no config"
        ) from error
