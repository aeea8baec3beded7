"""A change that a rule waits for is told once, whatever happens to the watcher meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.changes import ChangeMatched
from appshield.contracts.health import MemberRef, Members
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyRecord, policy_key, policy_place
from appshield.contracts.streams import (
    APPLICATIONS,
    MEMBERS,
    OUTCOMES,
    POLICIES,
    PROJECTIONS,
)
from appshield.errors import UnavailableError
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, DEPLOYMENT, SECRET
from appshield.service import SystemClock
from appshield.watcher import change_watch
from appshield.watcher.change_watch import ChangeWatch
from appshield.watcher.informers import Informers
from appshield.watcher.remembering import Memory
from fake_kubernetes import FakeKubernetes
from memory_bus import MemoryBus
from waiting import wait_until

APP = AppRef(cluster="test", namespace="shop", name="shop")
WIDGET = Kind("acme.io", "v1", "Widget", "widgets")
ROLLOUT = "new.spec.template != old.spec.template"
DEADLINE_S = 30


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let documents be taken at once, and new kinds be found soon."""
    monkeypatch.setattr(change_watch, "SETTLE_S", 0.02)
    monkeypatch.setattr(change_watch, "LOOK_AGAIN_S", 0.2)


def rule(*of: str, when: str = "", name: str = "changed") -> Protection:
    return Protection(name=name, trigger="change", change_of=of, when=when)


def deployment(image: str, replicas: int = 1, **labels: str) -> Object:
    template = {"spec": {"containers": [{"name": "web", "image": image}]}}
    meta = {"name": "web", "namespace": "shop", "labels": {"app": "shop", **labels}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": replicas, "template": template},
    }


def plain(kind: Kind, name: str, **more: Any) -> Object:
    meta = {"name": name, "namespace": "shop", "labels": {"app": "shop"}}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **more}


class FailingBus(MemoryBus):
    """A bus that takes facts and then, so often, does not confirm them."""

    silent = 0

    async def publish(self, message: Any, *, subject: str | None = None) -> Any:
        receipt = await super().publish(message, subject=subject)
        if self.silent and isinstance(message, ChangeMatched):
            self.silent -= 1
            raise UnavailableError("nobody confirmed it")
        return receipt


class Shop:
    """A cluster with an application that has rules, and a watcher that comes and goes."""

    def __init__(self, fake: FakeKubernetes) -> None:
        self.fake = fake
        self.bus = FailingBus()

    async def document(self, *rules: Protection, **resources: Any) -> None:
        """Let the document be applied and the planner have its rules."""
        spec = {"resources": resources or {"selector": {"matchLabels": {"app": "shop"}}}}
        meta = {"name": "shop", "namespace": "shop"}
        api = {"apiVersion": APPLICATION.api_version, "kind": "Application"}
        uid = self.fake.put({**api, "metadata": meta, "spec": spec})["metadata"]["uid"]
        record = ApplicationRecord(
            app_id="a-1", app=APP, uid=uid, vault="primary", state="active", protections=rules
        )
        await self.bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", record)

    async def policy(
        self, *rules: Protection, name: str = "all", in_force: bool = True, settled: bool = False
    ) -> None:
        """Let the planner have a policy for all of the shop; the record does not follow."""
        place = policy_place("test", name)
        record = PolicyRecord(
            app=place,
            uid=name,
            match="app.namespace == 'shop'",
            protections=rules,
            in_force_since=datetime(2026, 11, 30, tzinfo=UTC) if in_force else None,
            settled=settled,
        )
        await self.bus.bucket(POLICIES, PolicyRecord).put(policy_key(place), record)

    def told(self) -> list[tuple[str, str, bool]]:
        """List what was told: rule, object, and whether it is gone; each identity once."""
        facts = [one for one in self.bus.published(OUTCOMES) if isinstance(one, ChangeMatched)]
        by_identity = {one.identity(): one for one in facts}
        return [(one.protection, one.object, one.deleted) for one in by_identity.values()]

    async def tells(self, *expected: tuple[str, str, bool]) -> None:
        """Wait until just this was told, and a change that comes after is told next."""
        await wait_until(
            lambda: self.told() == list(expected), deadline_s=DEADLINE_S, what=f"{expected}"
        )

    async def is_at_rest(self, kind: Kind = DEPLOYMENT) -> None:
        """Wait until all that there is of a kind is remembered as it is."""
        await wait_until(
            partial(self._remembers, kind), deadline_s=DEADLINE_S, what=f"{kind.plural} remembered"
        )

    async def _remembers(self, kind: Kind) -> bool:
        listed = f"{kind.resource} "
        entries = [entry async for entry in self.bus.bucket(PROJECTIONS, dict[str, Any]).items()]
        lists = [m for e in entries for m in e.value.get("meanings", ()) if m.startswith(listed)]
        seen = {e.value["object"]: e.value for e in entries if e.value.get("kind") == kind.resource}
        there = {
            f"{kind.kind} shop/{obj['metadata']['name']}"
            for obj in self.fake.store.of(kind).values()
            if obj["metadata"].get("namespace") == "shop"
        }
        return bool(lists) and seen.keys() == there

    async def remembers(self, text: str) -> bool:
        """Say whether something is remembered, as it is written down."""
        bucket = self.bus.bucket(PROJECTIONS, dict[str, Any])
        return text in str([entry.value async for entry in bucket.items()])

    async def forgot(self) -> bool:
        """Say whether nothing is remembered at all."""
        return not await self.bus.bucket(PROJECTIONS, dict[str, Any]).keys()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Let a watcher live for the time of the block; then it is gone, whatever it does."""
        stopping = asyncio.Event()
        async with self.fake.cluster() as cluster:
            informers = Informers(cluster)
            watch = ChangeWatch(
                bus=self.bus,
                records=self.bus.bucket(APPLICATIONS, ApplicationRecord),
                policies=self.bus.bucket(POLICIES, PolicyRecord),
                cluster=cluster,
                informers=informers,
                cluster_name="test",
                clock=SystemClock(),
            )
            tasks = [
                asyncio.create_task(informers.run(stopping)),
                asyncio.create_task(watch.keep_told(stopping)),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with FakeKubernetes() as fake:
        fake.serve(APPLICATION, WIDGET)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield Shop(fake)


async def test_a_rollout_is_told_and_what_else_changes_is_not(shop: Shop) -> None:
    """What was there before the rule is no change, nor is a status or another field."""
    shop.fake.put(deployment("web:1"))
    await shop.document(rule("deployments", when=ROLLOUT))
    async with shop.watched():
        await shop.is_at_rest()
        shop.fake.put(deployment("web:1", replicas=3))
        shop.fake.put(deployment("web:2", replicas=3))
        await shop.tells(("changed", "Deployment shop/web", False))
        shop.fake.put({**deployment("web:2", replicas=3), "status": {"readyReplicas": 3}})
        shop.fake.put(deployment("web:3"))
        await wait_until(lambda: len(shop.told()) == 2, deadline_s=DEADLINE_S, what="two rollouts")


async def test_a_rollout_while_the_watcher_is_away_is_told_once_when_it_is_back(
    shop: Shop,
) -> None:
    """And not again by one that comes after."""
    shop.fake.put(deployment("web:1"))
    await shop.document(rule("deployments", when=ROLLOUT))
    async with shop.watched():
        await shop.is_at_rest()
    shop.fake.put(deployment("web:2"))
    shop.fake.put(deployment("web:3"))
    for _ in range(2):
        async with shop.watched():
            await shop.tells(("changed", "Deployment shop/web", False))
    async with shop.watched():
        shop.fake.put(deployment("web:4"))
        await wait_until(lambda: len(shop.told()) == 2, deadline_s=DEADLINE_S, what="the next one")


async def test_a_deletion_while_the_watcher_is_away_is_told_once(shop: Shop) -> None:
    """By a rule that asks for it, and by one that waits for every change."""
    shop.fake.put(deployment("web:1"))
    gone = rule("deployments", when="new == null", name="gone")
    await shop.document(gone, rule("deployments", name="any"))
    async with shop.watched():
        await shop.is_at_rest()
    shop.fake.remove(DEPLOYMENT, "web", "shop")
    for _ in range(2):
        async with shop.watched():
            await wait_until(
                lambda: len(shop.told()) == 2, deadline_s=DEADLINE_S, what="both are told"
            )
            await shop.is_at_rest()
    assert sorted(shop.told()) == [
        ("any", "Deployment shop/web", True),
        ("gone", "Deployment shop/web", True),
    ]


async def test_killed_between_telling_and_remembering_it_is_the_same_change(shop: Shop) -> None:
    """It is told again under the same identity, which the planner knows."""
    shop.fake.put(deployment("web:1"))
    await shop.document(rule("deployments", when=ROLLOUT))
    async with shop.watched():
        await shop.is_at_rest()
    shop.bus.silent = 1
    shop.fake.put(deployment("web:2"))
    async with shop.watched():
        await wait_until(lambda: not shop.bus.silent, deadline_s=DEADLINE_S, what="it is told")
    shop.bus.forget_duplicates()
    async with shop.watched():
        await shop.tells(("changed", "Deployment shop/web", False))
        await wait_until(
            lambda: len(shop.bus.published(OUTCOMES)) == 2, deadline_s=DEADLINE_S, what="again"
        )
    assert len(shop.told()) == 1


async def test_a_new_object_is_a_change_only_where_all_were_seen_before(shop: Shop) -> None:
    """Also one that came while nobody watched."""
    await shop.document(rule("configmaps", when="old == null"))
    shop.fake.put(plain(CONFIG_MAP, "first"))
    async with shop.watched():
        await shop.is_at_rest(CONFIG_MAP)
    shop.fake.put(plain(CONFIG_MAP, "second"))
    async with shop.watched():
        await shop.tells(("changed", "ConfigMap shop/second", False))


async def test_objects_of_others_are_no_change(shop: Shop) -> None:
    """Neither without the label, nor in another namespace; who loses it has left."""
    shop.fake.put(deployment("web:1"))
    shop.fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    await shop.document(rule("deployments"))
    async with shop.watched():
        await shop.is_at_rest()
        other = deployment("web:1")
        other["metadata"] = {"name": "web", "namespace": "other", "labels": {"app": "shop"}}
        shop.fake.put(other)
        stranger = deployment("web:1", app="stranger")
        stranger["metadata"]["name"] = "stranger"
        shop.fake.put(stranger)
        shop.fake.put(deployment("web:1", app="stranger"))
        await shop.tells(("changed", "Deployment shop/web", True))


async def test_what_others_refer_to_counts_once_a_snapshot_knows_it(shop: Shop) -> None:
    """A Secret without the label, of which the last snapshot says that it belongs."""
    secret = plain(SECRET, "password", data={"password": "b25l"})
    secret["metadata"]["labels"] = {}
    shop.fake.put(secret)
    await shop.document(rule("secrets", when="new.data.password != old.data.password"))
    refs = (MemberRef(group="", kind="Secret", namespace="shop", name="password"),)
    members = Members(app=APP, app_id="a-1", run="b-1", objects=refs)
    async with shop.watched():
        await shop.bus.bucket(MEMBERS, Members).put("a-1", members)
        await shop.is_at_rest(SECRET)
        shop.fake.put({**secret, "data": {"password": "dHdv"}})
        await shop.tells(("changed", "Secret shop/password", False))
    assert await shop.remembers("hmac-sha256:")
    assert not await shop.remembers("b25l")
    assert not await shop.remembers("dHdv")


async def test_storms_of_lost_history_and_cut_watches_lose_and_double_nothing(shop: Shop) -> None:
    """410 in the middle, a stream that ends within an event, a server that restarts."""
    shop.fake.put(deployment("web:1"))
    await shop.document(rule("deployments", when=ROLLOUT))
    async with shop.watched():
        await shop.is_at_rest()
        shop.fake.fail_next(3, 410, path="deployments")
        shop.fake.cut_watches()
        shop.fake.put(deployment("web:2"))
        await shop.tells(("changed", "Deployment shop/web", False))
        await shop.fake.stop()
        shop.fake.compact()
        shop.fake.put(deployment("web:3"))
        await shop.fake.start()
        await wait_until(lambda: len(shop.told()) == 2, deadline_s=DEADLINE_S, what="both")


async def test_a_definition_that_goes_takes_no_memory_with_it(shop: Shop) -> None:
    """Nothing is told as gone that is not; what has changed when it is back is told."""
    shop.fake.put(plain(WIDGET, "w", spec={"size": 1}))
    await shop.document(rule("widgets.acme.io"))
    async with shop.watched():
        await shop.is_at_rest(WIDGET)
        shop.fake.store.kinds.remove(WIDGET)
        shop.fake.cut_watches()
        await wait_until(
            lambda: any("acme.io" in path for _, path in shop.fake.requests[-4:]),
            deadline_s=DEADLINE_S,
            what="the kind was asked for in vain",
        )
        assert shop.told() == []
        shop.fake.store.kinds.append(WIDGET)
        shop.fake.put(plain(WIDGET, "w", spec={"size": 2}))
        await shop.tells(("changed", "Widget shop/w", False))


async def test_a_rule_of_another_meaning_begins_anew(shop: Shop) -> None:
    """What the old expression remembered is no change for the new one."""
    shop.fake.put(deployment("web:1"))
    await shop.document(rule("deployments", when=ROLLOUT))
    async with shop.watched():
        await shop.is_at_rest()
    scaled = rule("deployments", when="new.spec.replicas != old.spec.replicas")
    await shop.document(scaled)
    shop.fake.put(deployment("web:2", replicas=2))
    async with shop.watched():
        await wait_until(
            lambda: shop.remembers("'replicas': 2"), deadline_s=DEADLINE_S, what="seen anew"
        )
        assert shop.told() == []
        shop.fake.put(deployment("web:2", replicas=3))
        await shop.tells(("changed", "Deployment shop/web", False))


async def test_what_is_remembered_of_an_application_goes_with_it(shop: Shop) -> None:
    """Or with the last of its rules that waits for changes."""
    shop.fake.put(deployment("web:1"))
    await shop.document(rule("deployments"))
    async with shop.watched():
        await shop.is_at_rest()
        await shop.document()
        await wait_until(shop.forgot, deadline_s=DEADLINE_S, what="nothing is remembered")


async def test_a_rule_of_a_policy_acts_before_the_record_says_so(shop: Shop) -> None:
    """Also one that comes while another one does."""
    await shop.document()
    shop.fake.put(deployment("web:1"))
    async with shop.watched():
        await shop.policy(rule("deployments", when=ROLLOUT))
        await shop.is_at_rest()
        shop.fake.put(deployment("web:2"))
        rolled_out = ("all/changed", "Deployment shop/web", False)
        await shop.tells(rolled_out)
        await shop.policy(rule("configmaps", name="settings"), name="more")
        await shop.is_at_rest(CONFIG_MAP)
        shop.fake.put(plain(CONFIG_MAP, "made"))
        await shop.tells(rolled_out, ("more/settings", "ConfigMap shop/made", False))


async def test_what_is_new_is_told_before_it_is_written_down_that_all_was_looked_at(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes longer the more applications there are."""
    looked = asyncio.Event()

    async def fails(*_: object) -> None:
        looked.set()
        raise UnavailableError("the bus is away")

    monkeypatch.setattr(Memory, "put_listed", fails)
    await shop.document()
    async with shop.watched():
        await shop.policy(rule("configmaps"))
        await looked.wait()
        shop.fake.put(plain(CONFIG_MAP, "made"))
        await shop.tells(("all/changed", "ConfigMap shop/made", False))


async def test_what_is_known_of_an_application_is_written_down_though_it_changed_meanwhile(
    shop: Shop,
) -> None:
    """Its rules stayed as they are, so nothing is read again."""
    await shop.document()
    async with shop.watched():
        await shop.policy(rule("deployments", when=ROLLOUT))
        await shop.is_at_rest()
        await shop.policy(rule("deployments", when=ROLLOUT), rule("configmaps", name="settings"))
        record = await shop.bus.bucket(APPLICATIONS, ApplicationRecord).get("a-1")
        assert record is not None
        changed = replace(record.value, criticality="gold")
        await shop.bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", changed)
        await shop.is_at_rest(CONFIG_MAP)


async def test_a_watcher_that_starts_while_records_are_behind_goes_on_by_the_policy(
    shop: Shop,
) -> None:
    """It tells what happened while nobody watched."""
    await shop.document()
    shop.fake.put(deployment("web:1"))
    await shop.policy(rule("deployments", when=ROLLOUT))
    async with shop.watched():
        await shop.is_at_rest()
    shop.fake.put(deployment("web:2"))
    async with shop.watched():
        await shop.tells(("all/changed", "Deployment shop/web", False))


async def test_a_changed_policy_counts_once_it_is_in_force(shop: Shop) -> None:
    """Until then the one before does; a policy that is gone does not."""
    await shop.document()
    shop.fake.put(deployment("web:1"))
    async with shop.watched():
        await shop.policy(rule("deployments", when=ROLLOUT))
        await shop.is_at_rest()
        await shop.policy(rule("secrets"), in_force=False)
        shop.fake.put(deployment("web:2"))
        await shop.tells(("all/changed", "Deployment shop/web", False))
        place = policy_key(policy_place("test", "all"))
        await shop.bus.bucket(POLICIES, PolicyRecord).delete(place)
        await wait_until(shop.forgot, deadline_s=DEADLINE_S, what="nothing is remembered")
