"""What a container may still hold of a Secret that was changed after it started."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.errors import DeniedError
from appshield.kubernetes import Kind, Object, PodRef
from appshield.kubernetes.kinds import POD
from appshield.podvolumes.rotated import changed_since, rotated_secret, secrets_of, started_at

PLACE = PodRef("shop", "db-0", "main")
STARTED = datetime(2026, 1, 1, 10, tzinfo=UTC)
POD_STARTED: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "db-0", "namespace": "shop"},
    "spec": {
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [
            {"name": "main", "envFrom": [{"secretRef": {"name": "credentials"}}]},
            {"name": "side", "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "k"}}}]},
        ],
        "volumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
    },
    "status": {
        "containerStatuses": [
            {"name": "main", "state": {"running": {"startedAt": "2026-01-01T10:00:00Z"}}},
            {"name": "side", "state": {"waiting": {}}},
        ]
    },
}


def secret(*times: str) -> Object:
    return {"metadata": {"managedFields": [{"time": time} for time in times]}}


class Holding:
    """A cluster with one pod and Secrets that were last written at a time."""

    def __init__(self, written: dict[str, str], pod: Object | None = None) -> None:
        self._written = written
        self._pod = pod

    async def get(self, kind: Kind, name: str, _namespace: str) -> Object | None:
        if kind == POD:
            return self._pod
        written = self._written.get(name)
        return secret(written) if written else None


async def rotated(written: dict[str, str], pod: Object | None = POD_STARTED) -> str:
    cluster: Any = Holding(written, pod)
    return await rotated_secret(cluster, PLACE)


BEFORE, AT, AFTER = "2026-01-01T09:59:59Z", "2026-01-01T10:00:00Z", "2026-01-01T10:00:01Z"
ALL_BEFORE = dict.fromkeys(("credentials", "k", "tls"), BEFORE)


def test_every_secret_of_the_pod_counts_but_those_for_pulling() -> None:
    """Of every container, as they may share what they hold."""
    assert secrets_of(POD_STARTED) == ["credentials", "k", "tls"]


async def test_secrets_that_are_as_they_were_hide_nothing() -> None:
    """The container holds what they say."""
    assert not await rotated(ALL_BEFORE)


@pytest.mark.parametrize("name", ["credentials", "k", "tls"])
@pytest.mark.parametrize("written", [AT, AFTER, ""])
async def test_a_secret_that_was_changed_or_removed_is_named(name: str, written: str) -> None:
    """Also within the second in which the container was started."""
    assert await rotated({**ALL_BEFORE, name: written}) == name


async def test_what_cannot_be_known_counts_as_changed() -> None:
    """The pod is gone, it runs no more, or the Secret's notes were taken away."""
    assert await rotated(ALL_BEFORE, None) == "of a pod that is gone"
    waiting = copy.deepcopy(POD_STARTED)
    waiting["status"]["containerStatuses"][0]["state"] = {"waiting": {}}
    assert await rotated(ALL_BEFORE, waiting) == "credentials"
    assert changed_since({"metadata": {}}, STARTED)
    assert started_at(POD_STARTED, "main") == STARTED


async def test_who_may_not_look_shows_nothing() -> None:
    """The right is named, so that somebody can give it."""

    class Refusing:
        async def get(self, *_: object) -> Object:
            raise DeniedError("not allowed to get pods")

    cluster: Any = Refusing()
    assert "not allowed to get pods" in await rotated_secret(cluster, PLACE)
