"""The newest entry of the audit, as the cluster remembers it.

A ConfigMap that no user of the message bus can write names the newest entry of each chain. So what
is cut off the end of the stream is seen, also where it was not archived yet.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from appshield.audit.chain import Head
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import DamagedError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import CONFIG_MAP

HEADS = "appshield-audit"
"""The ConfigMap: a key for each chain."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """The newest entry of a chain; the message that ends with it is `stored` in the stream."""

    head: Head
    stored: int
    at: datetime


class Memory:
    """What the cluster remembered when it was read."""

    def __init__(self, cluster: Cluster, found: Object | None) -> None:
        self._cluster = cluster
        self._found = found
        self.newest: Mapping[str, Remembered] = _read((found or {}).get("data") or {})

    @classmethod
    async def of(cls, cluster: Cluster) -> "Memory":
        """Read it.

        Raises:
            UnavailableError: the cluster cannot be reached.
            DamagedError: somebody wrote something else there.
        """
        return cls(cluster, await cluster.get(CONFIG_MAP, HEADS, SYSTEM_NAMESPACE))

    @property
    def heads(self) -> tuple[Head, ...]:
        """The newest entry of each chain."""
        return tuple(one.head for one in self.newest.values())

    async def keep(self, newest: Remembered) -> None:
        """Remember another entry of a chain.

        Raises:
            ConflictError: somebody else has remembered one since it was read.
            AlreadyExistsError: likewise, where there was none.
        """
        text = msgspec.json.encode(newest).decode()
        if self._found is not None:
            data = {**(self._found.get("data") or {}), newest.head.chain: text}
            await self._cluster.replace(CONFIG_MAP, {**self._found, "data": data})
            return
        metadata = {"name": HEADS, "namespace": SYSTEM_NAMESPACE}
        body = {"apiVersion": "v1", "kind": CONFIG_MAP.kind, "metadata": metadata}
        await self._cluster.create(CONFIG_MAP, {**body, "data": {newest.head.chain: text}})


def _read(data: Mapping[str, str]) -> dict[str, Remembered]:
    try:
        return {chain: msgspec.json.decode(text, type=Remembered) for chain, text in data.items()}
    except ValueError as error:
        raise DamagedError(
            f"what the cluster remembers of the audit cannot be read: ConfigMap "
            f"{SYSTEM_NAMESPACE}/{HEADS}",
            why=str(error),
            next_step="Find out who could write it; its history is in the audit of the API server.",
        ) from error
