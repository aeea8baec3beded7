"""Telling whoever runs `kubectl describe` what AppShield did to an object.

An event that repeats is one object whose count grows. Events are a courtesy: one that cannot be
written is logged and never fails the work it tells about.
"""

import hashlib
from datetime import UTC, datetime
from typing import Protocol

import structlog

from appshield.errors import AppShieldError
from appshield.kubernetes.errors import AlreadyExistsError
from appshield.kubernetes.kinds import EVENT, Kind, Object, ObjectRef

COMPONENT = "appshield"
MESSAGE_LIMIT = 1024
NAME_LIMIT = 253


class Writer(Protocol):
    """What recording needs of a `Cluster`."""

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Return the object, None when it is not there."""

    async def create(
        self, kind: Kind, body: Object, *, namespace: str = "", dry_run: bool = False
    ) -> Object:
        """Create the object."""

    async def merge_patch(
        self, kind: Kind, name: str, patch: Object, *, namespace: str = ""
    ) -> Object:
        """Change parts of the object."""


async def record(
    writer: Writer, about: ObjectRef, *, reason: str, message: str, warning: bool
) -> None:
    """Record that `reason` (one word, CamelCase) happened to `about`."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = _event(about, reason=reason, message=message, warning=warning, now=now)
    namespace = event["metadata"]["namespace"]
    try:
        try:
            await writer.create(EVENT, event, namespace=namespace)
        except AlreadyExistsError:
            await _count(writer, event["metadata"]["name"], namespace, now)
    except AppShieldError as error:
        structlog.get_logger().warning("event.not_recorded", reason=reason, why=str(error))


async def _count(writer: Writer, name: str, namespace: str, now: str) -> None:
    before = await writer.get(EVENT, name, namespace) or {}
    patch = {"count": (before.get("count") or 1) + 1, "lastTimestamp": now}
    await writer.merge_patch(EVENT, name, patch, namespace=namespace)


def _event(about: ObjectRef, *, reason: str, message: str, warning: bool, now: str) -> Object:
    text = message[:MESSAGE_LIMIT]
    digest = hashlib.sha256("\0".join((about.kind, about.uid, reason, text)).encode()).hexdigest()
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "name": f"{about.name[: NAME_LIMIT - 17]}.{digest[:16]}",
            "namespace": about.namespace or "default",
        },
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "name": about.name,
            "namespace": about.namespace,
            "uid": about.uid,
        },
        "reason": reason,
        "message": text,
        "type": "Warning" if warning else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
