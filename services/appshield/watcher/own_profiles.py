"""Profiles of the cluster's users: which are in force, told to them and to who reads documents.

The profiles are objects that the snapshotter reads by itself; here people learn what came of theirs
(status, event), and the watcher what components of that type are like.
"""

import asyncio
from typing import Any

import structlog

from appshield.errors import AppShieldError, UnavailableError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import PROFILE
from appshield.language.in_force import IN_FORCE, spec_in_force
from appshield.language.kinds import ProfileSpec
from appshield.language.own_profiles import OwnProfile, own_profiles
from appshield.language.profiles import Profiles, shipped_profiles
from appshield.language.resolving import revision
from appshield.service import Clock
from appshield.watcher.asking import EVERYWHERE
from appshield.watcher.conditions import condition, timed
from appshield.watcher.revisions import keep_revision
from appshield.watcher.telling import Reporter
from appshield.watcher.volumes import Changed


class OwnProfiles:
    """The sink of the watch on Profile objects: writes what came of each, and knows which count."""

    def __init__(
        self, cluster: Cluster, reporter: Reporter, clock: Clock, look_again: Changed
    ) -> None:
        self.listed = asyncio.Event()
        self.in_force: Profiles = shipped_profiles()
        self._cluster = cluster
        self._reporter = reporter
        self._clock = clock
        self._look_again = look_again
        self._objects: dict[str, Object] = {}
        self._told = _specs(self.in_force)

    async def replace(self, objects: list[Object]) -> None:
        """See `WatchSink`."""
        await self._take({obj["metadata"]["name"]: obj for obj in objects})
        self.listed.set()

    async def changed(self, obj: Object) -> None:
        """See `WatchSink`."""
        await self._take({**self._objects, obj["metadata"]["name"]: obj})

    async def deleted(self, obj: Object) -> None:
        """See `WatchSink`."""
        gone = obj["metadata"]["name"]
        await self._take({name: one for name, one in self._objects.items() if name != gone})

    async def _take(self, objects: dict[str, Object]) -> None:
        own = own_profiles(objects.values())
        counting = [one.profile for one in own if one.profile is not None]
        self._objects = objects
        self.in_force = shipped_profiles().with_own(counting)
        specs = _specs(self.in_force)
        if specs != self._told:  # what is in force does not wait for statuses
            await self._look_again(EVERYWHERE)
            self._told = specs
        for one in own:
            await self._tell(one, objects[one.name])

    async def _tell(self, own: OwnProfile, obj: Object) -> None:
        """Write what came of an object.

        Raises:
            UnavailableError: the cluster cannot be reached; the change comes again.
        """
        status = status_of(own, obj)
        said = {
            **status,
            "conditions": [timed(one, obj, self._clock.now()) for one in status["conditions"]],
        }
        before = obj.get("status") or {}
        if said == before:
            return
        if said.get("revision", "") != before.get("revision"):
            await keep_revision(self._cluster, obj, said.get("revision", ""))
        try:
            self._objects[own.name] = await self._cluster.patch_status(PROFILE, own.name, said)
        except UnavailableError:
            raise
        except AppShieldError as error:
            structlog.get_logger().warning("status not written", problem=str(error))
        if own.refused and own.refused != _refused(obj):
            await self._reporter.refused(obj, own.refused)


def status_of(own: OwnProfile, obj: Object) -> dict[str, Any]:
    """Say in a status what came of a profile; its conditions have no time yet."""
    ready = "no document of it was ever accepted" if own.profile is None else ""
    if own.profile is not None and own.refused:
        ready = "the last document that was accepted stays in force"
    elif own.doubles:
        ready = own.problem
    well = f"components of type {own.profile.spec.type} are saved by it" if own.profile else ""
    status: dict[str, Any] = {
        "observedGeneration": obj["metadata"].get("generation", 0),
        "conditions": [
            condition("Accepted", own.refused, "Refused", "the document is in force"),
            condition("Ready", ready, "Refused" if own.refused else "Doubled", well),
        ],
    }
    if own.profile is not None:
        status["revision"] = revision(own.profile.spec)
    if spec := spec_in_force(obj):
        status[IN_FORCE] = spec
    return status


def _specs(profiles: Profiles) -> list[ProfileSpec]:
    return [profile.spec for profile in profiles.all()]


def _refused(obj: Object) -> str:
    """Return why the object was refused when its status was written, if it was."""
    conditions = (obj.get("status") or {}).get("conditions", [])
    accepted = next((one for one in conditions if one["type"] == "Accepted"), None)
    return str(accepted["message"]) if accepted and accepted["status"] == "False" else ""
