"""Each change is told once; what was missed is told late; AppShield's own writes tell nothing."""

from collections import Counter
from functools import partial
from typing import Any

import pytest

from appshield.bus import Receipt
from appshield.contracts import streams
from appshield.contracts.applications import ApplicationObserved
from appshield.contracts.message import Message
from appshield.contracts.policies import PolicyObserved
from appshield.contracts.stream_specs import BucketSpec
from appshield.errors import UnavailableError
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import PVC
from appshield.watcher.asking import AskedAnnotations
from appshield.watcher.surroundings import Surroundings
from appshield.watcher.telling import Applications, Policies, Telling
from memory_bus import MemoryBus


def application(*, uid: str = "u-1", version: str = "1", name: str = "shop", **spec: Any) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": version,
            "generation": 1,
        },
        "spec": {"type": "web", **spec},
    }


class Reports:
    """Keeps what people would be told."""

    def __init__(self) -> None:
        self.refused_because: list[str] = []

    async def refused(self, obj: Object, why: str) -> None:
        self.refused_because.append(why)


class ListeningBus(MemoryBus):
    """Keeps every message that is published, also when a later one replaces it."""

    def __init__(self) -> None:
        super().__init__("watcher")
        self.facts: list[ApplicationObserved | PolicyObserved] = []
        self.away = False
        self.asked: Counter[str] = Counter()

    def bucket(self, spec: BucketSpec, of: type[Any]) -> Any:
        """Count the keys that are read one by one."""
        made: Any = super().bucket(spec, of)
        get = made.get

        async def counted(key: str) -> Any:
            self.asked[key] += 1
            return await get(key)

        made.get = counted
        return made

    async def publish(self, message: Message, *, subject: str | None = None) -> Receipt:
        if self.away:
            raise UnavailableError("the bus is away")
        assert isinstance(message, ApplicationObserved | PolicyObserved)
        self.facts.append(message)
        return await super().publish(message, subject=subject)


class Place:
    def __init__(self) -> None:
        self.bus = ListeningBus()
        self.reports = Reports()
        self.surroundings = Surroundings()
        told = Telling(bus=self.bus, reading=Policies("test"), reporter=self.reports)
        self.policies = AskedAnnotations(told, self.surroundings.look_again)
        self.telling = self.watcher()
        self.surroundings.changed = self.telling.look_again

    def watcher(self, cluster: str = "test") -> Telling:
        describe = partial(self.surroundings.describe, asked=self.policies.of)
        reading = Applications(cluster, describe)
        return Telling(bus=self.bus, reading=reading, reporter=self.reports)

    def annotations(self) -> dict[str, str]:
        """Return those that were told last of the application."""
        told = [fact for fact in self.bus.facts if isinstance(fact, ApplicationObserved)]
        return told[-1].described.annotations

    def told(self) -> list[tuple[str, bool]]:
        """List what was published since the last look, however often the subject was written."""
        told = [(fact.uid, fact.exists) for fact in self.bus.facts]
        self.bus.facts.clear()
        return told


@pytest.fixture
async def place() -> Place:
    return Place()


async def test_a_change_is_told_once(place: Place) -> None:
    """The same object again, as after a lost watch, is no news."""
    await place.telling.changed(application())
    await place.telling.changed(application())
    assert place.told() == [("u-1", True)]
    await place.telling.changed(application(version="2", criticality="gold"))
    assert place.told() == [("u-1", True)]


async def test_a_status_that_appshield_writes_tells_nothing(place: Place) -> None:
    """Else every status would cause a fact, and every fact a status."""
    await place.telling.changed(application())
    written = {**application(version="2"), "status": {"revision": "r", "lastVersion": 7}}
    await place.telling.changed(written)
    assert place.told() == [("u-1", True)]


async def test_a_deletion_that_was_missed_is_told_late(place: Place) -> None:
    """A watcher that was down compares the list with what it had told; other clusters' stay."""
    await place.telling.replace([application(), application(uid="u-2", name="other")])
    await place.watcher("elsewhere").replace([application(uid="u-9")])
    place.told()
    again = place.watcher()
    assert not again.synced
    await again.replace([application()])
    assert again.synced
    assert place.told() == [("u-2", False)]


async def test_an_object_that_was_replaced_by_another_of_its_name_is_told_as_both(
    place: Place,
) -> None:
    """The new one exists, the old one does not; their histories are two."""
    await place.telling.replace([application()])
    place.told()
    await place.telling.replace([application(uid="u-2", version="5")])
    assert sorted(place.told()) == [("u-1", False), ("u-2", True)]


async def test_a_deletion_that_is_seen_is_told_and_forgotten(place: Place) -> None:
    """The next list does not tell it again."""
    await place.telling.changed(application())
    await place.telling.deleted(application(version="3"))
    await place.telling.replace([])
    assert place.told() == [("u-1", True), ("u-1", False)]


async def test_a_refused_document_is_told_and_reported_once(place: Place) -> None:
    """The fact says why and carries nothing of what is wrong; the event says it to people."""
    wrong = application(version="2", components=[{"name": "db"}])
    await place.telling.changed(wrong)
    await place.telling.changed(wrong)
    [fact] = place.bus.published(streams.STATE)
    assert isinstance(fact, ApplicationObserved)
    assert "spec.components[0].workload" in fact.refused
    assert (fact.revision, fact.protections) == ("", ())
    assert place.reports.refused_because == [fact.refused]


async def test_a_refused_document_is_told_with_the_one_that_stays_in_force(place: Place) -> None:
    """It is in the status, so that a planner that has lost everything learns it from the fact."""
    wrong = application(version="2", components=[{"name": "db"}])
    in_force = '{"criticality": "gold", "protect": [{"name": "a", "on": {"rpo": "1h"}}]}'
    await place.telling.changed({**wrong, "status": {"inForce": in_force}})
    [fact] = place.bus.published(streams.STATE)
    assert isinstance(fact, ApplicationObserved)
    assert "spec.components[0].workload" in fact.refused
    assert (fact.criticality, [rule.rpo_s for rule in fact.protections]) == ("gold", [3600])
    assert fact.revision != ""
    labelled: Object = {"metadata": {"name": "shop", "labels": {"team": "a"}}}
    await place.surroundings.namespaces.changed(labelled)
    assert len(place.bus.facts) == 2
    assert place.reports.refused_because == [fact.refused]


async def test_a_fact_that_could_not_be_published_is_told_again(place: Place) -> None:
    """The cursor moves after the fact, never before it."""
    place.bus.away = True
    with pytest.raises(UnavailableError):
        await place.telling.changed(application())
    place.bus.away = False
    await place.telling.changed(application())
    assert place.told() == [("u-1", True)]


def policy(match: str, *, version: str = "1", **status: Any) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": "all", "uid": "p-1", "resourceVersion": version, "generation": 1},
        "spec": {
            "match": match,
            "targets": ["offsite"],
            "protect": [{"name": "nightly", "on": {"schedule": "@daily"}, "keep": {"last": 3}}],
        },
        "status": status,
    }


async def test_a_policy_is_told_with_its_rules_and_nothing_of_its_commands(place: Place) -> None:
    """Applications and policies have cursors of their own: neither list ends the other's."""
    await place.telling.replace([application()])
    await place.policies.replace([policy("app.type == 'web'")])
    fact = place.bus.facts[-1]
    assert isinstance(fact, PolicyObserved)
    assert (fact.app.name, fact.match, fact.targets) == ("all", "app.type == 'web'", ("offsite",))
    (rule,) = fact.protections
    assert (rule.name, rule.schedule, rule.targets) == ("nightly", "@daily", ("offsite",))
    place.told()
    await place.telling.replace([application()])
    await place.policies.replace([policy("app.type == 'web'")])
    assert place.told() == []
    await place.policies.replace([])
    assert place.told() == [("p-1", False)]


async def test_a_refused_policy_is_told_with_the_document_that_stays_in_force(place: Place) -> None:
    """The last accepted one is in the status, so that a watcher that knows nothing finds it."""
    refused = policy("app.typ == 'web'", inForce='{"match": "true", "alerts": {"rpo": "1h"}}')
    await place.policies.changed(refused)
    fact = place.bus.facts[-1]
    assert isinstance(fact, PolicyObserved)
    assert fact.match == "true"
    assert "app has no attribute 'typ'; did you mean type?" in fact.refused
    assert place.reports.refused_because == [fact.refused]


async def test_what_changes_around_an_application_is_told_each_time(place: Place) -> None:
    """Labels of its namespace, there and back again: three facts."""
    namespaces = place.surroundings.namespaces
    labelled: Object = {"metadata": {"name": "shop", "labels": {"team": "a"}}}
    await namespaces.replace([labelled, {"metadata": {"name": "other", "labels": {"x": "y"}}}])
    await place.telling.changed(application())
    await namespaces.changed({"metadata": {"name": "shop", "labels": {"team": "b"}}})
    await namespaces.changed(labelled)
    facts = [fact for fact in place.bus.facts if isinstance(fact, ApplicationObserved)]
    assert [fact.described.namespace_labels["team"] for fact in facts] == ["a", "b", "a"]
    assert len({fact.message_id() for fact in facts}) == 3


async def test_nobody_is_asked_about_applications_that_say_what_they_said(place: Place) -> None:
    """A Profile, or labels that another namespace has, may concern thousands of them."""
    many = [application(uid=f"u-{number}", name=f"shop-{number}") for number in range(300)]
    await place.telling.replace(many)
    assert len(place.told()) == len(many)
    place.bus.asked.clear()
    await place.telling.look_again("")
    assert (place.told(), place.bus.asked) == ([], Counter())
    await place.policies.changed(policy("app.type == 'web'"))
    assert [uid for uid, _ in place.told()] == ["p-1"], "it asks for no annotation"
    assert sum(place.bus.asked.values()) == 1
    labelled: Object = {"metadata": {"name": "shop", "labels": {"team": "a"}}}
    await place.surroundings.namespaces.changed(labelled)
    assert len(place.told()) == len(many)


async def test_a_status_asks_nobody_and_a_changed_document_does(place: Place) -> None:
    """Thousands of statuses are written at once; a document that changes then waits for none."""
    await place.telling.replace([application()])
    place.told()
    place.bus.asked.clear()
    await place.telling.changed({**application(version="2"), "status": {"revision": "r"}})
    assert (place.told(), place.bus.asked) == ([], Counter())
    await place.telling.changed(application(version="3", criticality="gold"))
    assert place.told() == [("u-1", True)]
    assert sum(place.bus.asked.values()) == 1, "another watcher may have told it"


async def test_what_the_bus_has_lost_is_told_again(place: Place) -> None:
    """With the next list, or with the next event once somebody has seen that something is lost."""
    cursors = place.bus.bucket(streams.CURSORS, dict[str, Any])
    await place.telling.replace([application()])
    place.told()
    await cursors.delete("test.u-1")
    await place.telling.replace([application()])
    assert place.told() == [("u-1", True)]
    await cursors.delete("test.u-1")
    place.telling.doubt()
    await place.telling.changed(application())
    assert place.told() == [("u-1", True)]


async def test_volumes_are_told_with_the_application(place: Place) -> None:
    """With their class and size."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop"},
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1.5Gi"}}},
    }
    volumes = place.surroundings.volumes
    await volumes.changed(PVC, volumes.keep(PVC, claim))
    await place.telling.changed(application())
    fact = place.bus.facts[-1]
    assert isinstance(fact, ApplicationObserved)
    (volume,) = fact.described.volumes
    assert (volume.claim, volume.storage_class) == ("data", "fast")
    assert volume.size_bytes == 3 * 2**29


def annotated(**annotations: str) -> Object:
    made = application()
    made["metadata"]["annotations"] = annotations
    return made


async def test_only_annotations_that_a_policy_names_are_told(place: Place) -> None:
    """People keep secrets in annotations; a policy says which ones are none."""
    await place.telling.changed(annotated(team="a", note="a secret"))
    assert place.annotations() == {}
    await place.policies.changed(policy("app.annotations['team'] == 'a'"))
    assert place.annotations() == {"team": "a"}
    first = [fact for fact in place.bus.facts if fact.uid in ("u-1", "p-1")]
    assert isinstance(first[-1], PolicyObserved), "applications are told before who asks for it"
    await place.policies.replace([])
    assert place.annotations() == {}


async def test_annotations_that_could_not_be_told_are_told_when_the_policy_comes_again(
    place: Place,
) -> None:
    """The watch brings it again; before the applications are told it is not told itself."""
    await place.telling.changed(annotated(team="a"))
    place.bus.away = True
    with pytest.raises(UnavailableError):
        await place.policies.changed(policy("app.annotations['team'] == 'a'"))
    place.bus.away = False
    await place.policies.replace([policy("app.annotations['team'] == 'a'")])
    assert place.annotations() == {"team": "a"}
    assert isinstance(place.bus.facts[-1], PolicyObserved)


async def test_annotations_that_other_expressions_name_are_told_too(place: Place) -> None:
    """Reactions and signals are judged by whoever hears the fact, an application's own as well."""
    shown = {"react": "r", "rule": "p", "own": "o"}
    when = "app.annotations.own == payload.own"
    own = {"name": "own", "on": {"signal": "imported", "when": when}}
    obj = annotated(**shown, note="a secret")
    obj["spec"]["protect"] = [own]
    await place.telling.changed(obj)
    assert place.annotations() == {"own": "o"}
    asking = policy("true")
    on = {"signal": "imported", "when": "payload == app.annotations['rule']"}
    asking["spec"]["protect"] = [{"name": "imported", "on": on}]
    asking["spec"]["react"] = [{"when": "'react' in app.annotations", "do": {"backup": {}}}]
    await place.policies.changed(asking)
    assert place.annotations() == shown


async def test_a_policy_that_goes_through_all_annotations_has_all_told(place: Place) -> None:
    """It cannot be said beforehand which ones it looks at."""
    await place.policies.changed(policy("app.annotations.exists(name, name == 'team')"))
    await place.telling.changed(annotated(team="a", note="b"))
    assert place.annotations() == {"team": "a", "note": "b"}


async def test_a_refused_policy_asks_for_nothing(place: Place) -> None:
    """Unless one was in force before."""
    await place.policies.changed(policy("app.annotations['team'] =="))
    await place.telling.changed(annotated(team="a"))
    assert place.annotations() == {}
