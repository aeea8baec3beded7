"""Write on every Vault whether its document is in force, or why a newer one is refused."""

from datetime import datetime
from typing import Any

import structlog

from appshield.errors import AppShieldError, UnavailableError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import VAULT
from appshield.language.in_force import IN_FORCE, spec_in_force, vault_in_force
from appshield.language.resolving import revision
from appshield.service import Clock
from appshield.watcher.conditions import condition, timed
from appshield.watcher.revisions import keep_revision
from appshield.watcher.telling import Reporter


class VaultStatuses:
    """The sink of the watch on Vault objects."""

    def __init__(self, cluster: Cluster, reporter: Reporter, clock: Clock) -> None:
        self._cluster = cluster
        self._reporter = reporter
        self._clock = clock

    async def replace(self, objects: list[Object]) -> None:
        """See `WatchSink`."""
        for obj in objects:
            await self.changed(obj)

    async def changed(self, obj: Object) -> None:
        """See `WatchSink`.

        Raises:
            UnavailableError: the cluster cannot be reached; the change comes again.
        """
        status, refused = status_of(obj, self._clock.now())
        before = obj.get("status") or {}
        if status == before:
            return
        if status.get("revision", "") != before.get("revision"):
            await keep_revision(self._cluster, obj, status.get("revision", ""))
        try:
            await self._cluster.patch_status(VAULT, obj["metadata"]["name"], status)
        except UnavailableError:
            raise
        except AppShieldError as error:
            structlog.get_logger().warning("status not written", problem=str(error))
        if refused:
            await self._reporter.refused(obj, refused)

    async def deleted(self, obj: Object) -> None:
        """See `WatchSink`."""


def status_of(obj: Object, now: datetime) -> tuple[dict[str, Any], str]:
    """Say in a status what came of a Vault's document, and why the newest one is refused.

    Whether its store can be reached is not asked here: who writes to it finds out.
    """
    vault, refused = vault_in_force(obj)
    stays = " (the last one that was accepted stays in force)" if vault is not None else ""
    why = f"{refused}{stays}" if refused else ""
    accepted = condition("Accepted", why, "Refused", "the document is in force")
    status: dict[str, Any] = {
        "observedGeneration": obj["metadata"].get("generation", 0),
        "conditions": [timed(accepted, obj, now)],
    }
    if vault is not None:
        status["revision"] = revision(vault.spec)
    if spec := spec_in_force(obj):
        status[IN_FORCE] = spec
    return status, refused
