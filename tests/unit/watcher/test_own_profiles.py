"""What came of a user's own profile is written on it, and components are seen with it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.errors import UnavailableError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import PROFILE
from appshield.watcher.own_profiles import OwnProfiles
from fake_kubernetes import FakeKubernetes
from fixed_clock import FixedClock

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
REDIS = "cache/redis"


class Place:
    def __init__(self, fake: FakeKubernetes, cluster: Cluster) -> None:
        self.fake = fake
        self.looked_again: list[str] = []
        self.told: list[str] = []
        self.own = OwnProfiles(cluster, self, FixedClock(NOW), self._look_again)

    async def refused(self, obj: Object, why: str) -> None:
        self.told.append(f"{obj['metadata']['name']}: {why}")

    async def _look_again(self, namespace: str) -> None:
        self.looked_again.append(namespace)

    async def write(self, name: str, generation: int = 1, **spec: Any) -> None:
        """Put a profile as the API server would, and let the watch bring it and its status."""
        known = self.fake.take(PROFILE, name) or {}
        made = {
            "apiVersion": "appshield.io/v1alpha1",
            "kind": "Profile",
            "metadata": {"name": name, "generation": generation},
            "spec": {"type": REDIS, **spec},
        }
        self.fake.put(made | ({"status": known["status"]} if "status" in known else {}))
        await self.bring(name)

    async def bring(self, name: str) -> None:
        for _ in range(2):  # what is written comes back as a change
            await self.own.changed(self.fake.take(PROFILE, name) or {})

    def status(self, name: str) -> Object:
        return dict((self.fake.take(PROFILE, name) or {})["status"])

    def said(self, name: str) -> dict[str, str]:
        return {one["type"]: one["status"] for one in self.status(name)["conditions"]}

    def strategy(self) -> str | None:
        profile = self.own.in_force.of(REDIS)
        assert profile is not None
        return profile.spec.strategy


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeKubernetes() as fake:
        fake.serve(PROFILE)
        async with fake.cluster() as cluster:
            yield Place(fake, cluster)


async def test_a_profile_says_that_it_is_in_force(place: Place) -> None:
    """With the digest of its content; applications are looked at again."""
    await place.own.replace([])
    assert place.own.listed.is_set()
    await place.write("ours", strategy="none")
    assert place.said("ours") == {"Accepted": "True", "Ready": "True"}
    status = place.status("ours")
    assert (status["observedGeneration"], len(status["revision"])) == (1, 64)
    assert status["conditions"][1]["message"] == "components of type cache/redis are saved by it"
    assert (place.strategy(), place.looked_again, place.told) == ("none", [""], [])
    await place.own.deleted(place.fake.take(PROFILE, "ours") or {})
    assert place.own.in_force.is_shipped(REDIS)


async def test_a_refused_one_leaves_the_last_accepted_in_force_and_is_told_once(
    place: Place,
) -> None:
    """In its status and by an event."""
    await place.write("ours", strategy="none")
    before = place.status("ours")
    await place.write("ours", generation=2, strategy="nothing")
    assert place.said("ours") == {"Accepted": "False", "Ready": "False"}
    accepted, ready = place.status("ours")["conditions"]
    assert "spec.strategy: 'nothing' is not one of" in accepted["message"]
    assert ready["message"] == "the last document that was accepted stays in force"
    assert place.status("ours")["inForce"] == before["inForce"]
    assert place.status("ours")["revision"] == before["revision"]
    assert place.strategy() == "none"
    assert [one.partition(":")[0] for one in place.told] == ["ours"]
    await place.write("ours", generation=3, strategy="one-replica")
    assert place.said("ours") == {"Accepted": "True", "Ready": "True"}
    assert place.strategy() == "one-replica"


async def test_one_that_was_never_accepted_does_not_count(place: Place) -> None:
    """The shipped one does."""
    await place.write("ours", strategy="nothing")
    assert place.status("ours")["conditions"][1]["message"] == (
        "no document of it was ever accepted"
    )
    assert place.own.in_force.is_shipped(REDIS)
    assert place.looked_again == []


async def test_of_two_of_one_type_the_second_by_name_says_that_it_does_not_count(
    place: Place,
) -> None:
    """Also when the first comes later, and no longer when that is gone."""
    await place.write("b", strategy="none")
    await place.write("a", strategy="one-replica")
    assert place.said("a") == {"Accepted": "True", "Ready": "True"}
    assert place.said("b") == {"Accepted": "True", "Ready": "False"}
    assert place.status("b")["conditions"][1]["reason"] == "Doubled"
    assert place.strategy() == "one-replica"
    await place.own.deleted(place.fake.take(PROFILE, "a") or {})
    assert place.said("b") == {"Accepted": "True", "Ready": "True"}
    assert place.strategy() == "none"


async def test_a_cluster_that_is_away_is_told_to_the_watch(place: Place) -> None:
    """Which brings the change again."""
    await place.fake.stop()
    obj = {"apiVersion": "appshield.io/v1alpha1", "kind": "Profile", "spec": {"type": REDIS}}
    with pytest.raises(UnavailableError):
        await place.own.changed({**obj, "metadata": {"name": "ours", "uid": "u", "generation": 1}})
    assert place.looked_again == [""], "what it says is in force all the same"
