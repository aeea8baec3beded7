"""What came of a Vault's document is written on it; a refused one leaves the last in force."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import VAULT
from appshield.language.in_force import vault_in_force
from appshield.watcher.vault_statuses import VaultStatuses
from fake_kubernetes import FakeKubernetes
from fixed_clock import FixedClock

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECRET = {"namespace": "system", "name": "s3"}
SPEC = {"bucket": "backups", "credentialsSecret": SECRET, "keySecret": SECRET}


class Place:
    def __init__(self, fake: FakeKubernetes, cluster: Cluster) -> None:
        self.fake = fake
        self.told: list[str] = []
        self.sink = VaultStatuses(cluster, self, FixedClock(NOW))

    async def refused(self, obj: Object, why: str) -> None:
        self.told.append(why)

    async def write(self, endpoint: str, generation: int) -> Object:
        """Put the Vault as the API server would, and let the watch bring it and its status."""
        made: dict[str, Any] = {
            "apiVersion": "appshield.io/v1alpha1",
            "kind": "Vault",
            "metadata": {"name": "primary", "generation": generation},
            "spec": {**SPEC, "endpoint": endpoint},
        }
        known = self.fake.take(VAULT, "primary") or {}
        self.fake.put(made | ({"status": known["status"]} if "status" in known else {}))
        for _ in range(2):  # what is written comes back as a change
            await self.sink.replace([self.fake.take(VAULT, "primary") or {}])
        return dict(self.fake.take(VAULT, "primary") or {})


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeKubernetes() as fake:
        fake.serve(VAULT)
        async with fake.cluster() as cluster:
            yield Place(fake, cluster)


async def test_an_accepted_document_is_said_to_be_in_force(place: Place) -> None:
    """Once; a status that is as it should be is not written again."""
    status = (await place.write("https://s3.example.org", 1))["status"]
    (accepted,) = status["conditions"]
    assert (accepted["type"], accepted["status"]) == ("Accepted", "True")
    assert (status["observedGeneration"], len(status["revision"])) == (1, 64)
    patches = [path for method, path in place.fake.requests if method == "PATCH"]
    assert len(patches) == 1
    assert place.told == []


async def test_a_refused_document_leaves_the_last_accepted_one_in_force(place: Place) -> None:
    """Status and event say why, and services go on with the Vault that it was."""
    before = (await place.write("https://s3.example.org", 1))["status"]["revision"]
    vault = await place.write("https://s3.example.org:99999", 2)
    (accepted,) = vault["status"]["conditions"]
    assert accepted["status"] == "False"
    assert "spec.endpoint: is not an address" in accepted["message"]
    assert "stays in force" in accepted["message"]
    assert vault["status"]["revision"] == before
    assert len(place.told) == 1
    in_force, refused = vault_in_force(vault)
    assert in_force is not None
    assert (in_force.spec.endpoint, bool(refused)) == ("https://s3.example.org", True)


async def test_one_that_was_never_accepted_is_refused(place: Place) -> None:
    """There is nothing to fall back on."""
    status = (await place.write("https://s3.example.org:99999", 1))["status"]
    assert status["conditions"][0]["status"] == "False"
    assert "inForce" not in status
    assert "revision" not in status
