"""What a Vault keeps of the audit: stretches of its chains, each written once.

    audit/<chain>/<first>-<last>    the entries with these numbers

Every call blocks, may come from any thread or process, and can raise what `SealedObjects.require`
and the object store raise.
"""

import re

from appshield.errors import DamagedError, InvalidInputError
from appshield.objectstore import ObjectExistsError
from appshield.vault.sealed_objects import SealedObjects

AUDIT = "audit"
_PURPOSE = "audit"
_CHAIN = re.compile(r"[0-9a-f]{1,64}")
_STRETCH = re.compile(r"([0-9]{12})-([0-9]{12})")


class AuditShelf:
    """The archived audit in one Vault."""

    def __init__(self, objects: SealedObjects) -> None:
        self._objects = objects

    def stretches(self) -> list[tuple[str, int, int]]:
        """List what is archived: chain, first and last entry, in order."""
        self._objects.require()
        found = []
        for one in self._objects.store.list(AUDIT):
            chain, _, name = one.name.removeprefix(f"{AUDIT}/").partition("/")
            if (numbers := _STRETCH.fullmatch(name)) is not None:
                found.append((chain, int(numbers[1]), int(numbers[2])))
        return sorted(found)

    def write(self, chain: str, first: int, last: int, content: bytes) -> None:
        """Archive a stretch; the same again changes nothing.

        Raises:
            DamagedError: another one of that name is there.
        """
        name = _name(chain, first, last)
        try:
            self._objects.put(name, content, purpose=_PURPOSE, only_if_absent=True)
        except ObjectExistsError as error:
            if self.read(chain, first, last) != content:
                raise DamagedError(
                    f"{name} in Vault {self._objects.vault_name} holds another audit",
                    next_step="`appshield audit verify` says what is wrong.",
                ) from error

    def read(self, chain: str, first: int, last: int) -> bytes:
        """Read a stretch.

        Raises:
            DamagedError: it is not what was written there.
        """
        return self._objects.get(_name(chain, first, last), purpose=_PURPOSE)


def _name(chain: str, first: int, last: int) -> str:
    if not _CHAIN.fullmatch(chain):
        raise InvalidInputError(f"{chain!r} cannot be the name of a chain of the audit")
    return f"{AUDIT}/{chain}/{first:012d}-{last:012d}"
