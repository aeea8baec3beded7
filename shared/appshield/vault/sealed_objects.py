"""The sealed objects of one Vault, and its marker `vault.json`.

The marker is readable without a key: it tells that this is a Vault, of which format, and by a
fingerprint which root key it wants; its sealed part holds the Vault's id. Nothing else is read or
written before it was checked, so a wrong key is told apart from damage, and never mixes with a
right one in one Vault.
"""

import contextlib
import uuid

import msgspec

from appshield.errors import (
    DamagedError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
)
from appshield.objectstore import ObjectExistsError, ObjectMissingError, ObjectStore
from appshield.vault.sealing import Seal

MARKER = "vault.json"
FORMAT = 1


class _Marker(msgspec.Struct, frozen=True):
    appshield: str
    format: int
    root_key_fingerprint: str
    sealed_id: bytes


class SealedObjects:
    """Reads and writes sealed objects of a Vault that was set up with this root key."""

    def __init__(self, store: ObjectStore, root_key: bytes, vault_name: str) -> None:
        self.store = store
        self.seal = Seal(root_key)
        self.vault_name = vault_name
        self._vault_id = ""

    def initialize(self) -> None:
        """Set the Vault up unless that was done; of several who try at once, one does."""
        with contextlib.suppress(NotFoundError):
            self.require()
            return
        sealed = self.seal.close(str(uuid.uuid4()).encode(), purpose="marker", name=MARKER)
        marker = _Marker("vault", FORMAT, self.seal.fingerprint(), sealed)
        with contextlib.suppress(ObjectExistsError):
            self.store.put(MARKER, msgspec.json.encode(marker), only_if_absent=True)
        self.require()

    def require(self) -> str:
        """Check, at the first call, that this is a Vault and ours; return its id.

        Raises:
            NotFoundError: it was not set up.
            DeniedError: it was set up with another root key.
            RefusedError: a newer AppShield wrote it.
            DamagedError: its marker is broken.
        """
        if not self._vault_id:
            self._vault_id = self._id_in(self._marker())
        return self._vault_id

    def put(self, name: str, plain: bytes, *, purpose: str, only_if_absent: bool = False) -> None:
        """Seal and store; raises ObjectExistsError as the store does."""
        self.require()
        sealed = self.seal.close(plain, purpose=purpose, name=name)
        self.store.put(name, sealed, only_if_absent=only_if_absent)

    def get(self, name: str, *, purpose: str) -> bytes:
        """Read and open; raises ObjectMissingError as the store does, and DamagedError."""
        self.require()
        return self.seal.open(self.store.get(name), purpose=purpose, name=name)

    def find(self, name: str, *, purpose: str) -> bytes | None:
        """Read and open, None when there is no such object."""
        try:
            return self.get(name, purpose=purpose)
        except ObjectMissingError:
            return None

    def _marker(self) -> _Marker:
        try:
            return msgspec.json.decode(self.store.get(MARKER), type=_Marker)
        except ObjectMissingError as error:
            raise NotFoundError(
                f"Vault {self.vault_name} is not set up",
                why=f"there is no {MARKER} in {self.store!r}",
                next_step="Set it up with `appshield vault add`, or correct its location",
            ) from error
        except (msgspec.MsgspecError, InvalidInputError) as error:
            raise DamagedError(
                f"{MARKER} of Vault {self.vault_name} is not what AppShield wrote there"
            ) from error

    def _id_in(self, marker: _Marker) -> str:
        if marker.format > FORMAT:
            raise RefusedError(
                f"Vault {self.vault_name} was written by a newer AppShield",
                why=f"it has format {marker.format}, this version knows up to {FORMAT}",
                next_step="Use that version",
            )
        if marker.root_key_fingerprint != self.seal.fingerprint():
            raise DeniedError(
                f"the root key does not open Vault {self.vault_name}",
                why=f"the Vault wants the key with fingerprint {marker.root_key_fingerprint}, "
                f"this one has {self.seal.fingerprint()}",
                next_step="Give the root key that was exported when the Vault was set up",
            )
        return self.seal.open(marker.sealed_id, purpose="marker", name=MARKER).decode()
