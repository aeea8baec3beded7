"""The gate on the real cluster: the API server itself asks, and holds what it is told to hold."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from appshield.audit import lines_of, read_entry
from appshield.contracts import streams
from appshield.contracts.audit import AuditEvent
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.contracts.requests import RequestRestore
from appshield.contracts.runs import Run
from appshield.errors import AppShieldError
from appshield.gate import AUTHORITY_SECRET, BREAK_GLASS
from appshield.kubernetes import BusyError, Kind, Object, ready
from appshield.kubernetes.kinds import (
    APPLICATION,
    DEPLOYMENT,
    NAMESPACE,
    SECRET,
    WEBHOOK_CONFIGURATION,
)
from appshield.kubernetes.requests import MERGE_PATCH, Call
from appshield.local.cluster import ClusterFacts
from appshield.watcher.broken_glass import UNKNOWN
from appshield.watcher.gate_keeping import remove_gate
from appshield.watcher.gate_webhooks import CONFIGURATIONS
from cluster_application import NAME
from command_line import CommandLine
from installation import Installation
from waiting import wait_until

pytestmark = pytest.mark.timeout(240)

CLOSED = {"appshield.io/gate": "fail"}
RULE = {"name": "before-change", "on": {"gate": {"before": ["rollout", "delete"]}}}


class Shop:
    """A gated application with one Deployment, and how a person changes it."""

    def __init__(self, installation: Installation, namespace: str) -> None:
        self.installation = installation
        self.namespace = namespace
        self.app = installation.app(namespace)

    async def roll_out(self, colour: str, *, dry_run: bool = False) -> None:
        """Change the pod template."""
        environment = [{"name": "COLOUR", "value": colour}]
        container = {"name": "main", "env": environment}
        template = {"template": {"spec": {"containers": [container]}}}
        await self._patch({"spec": template}, dry_run=dry_run)

    async def scale(self, replicas: int) -> None:
        """Change the number of replicas."""
        await self._patch({"spec": {"replicas": replicas}})

    async def annotate(self, name: str, value: str) -> None:
        """Set an annotation of the Deployment."""
        await self._patch({"metadata": {"annotations": {name: value}}})

    async def delete(self) -> None:
        """Delete the Deployment."""
        await self._send("DELETE", DEPLOYMENT, "web", self.namespace)

    async def delete_namespace(self) -> None:
        """Delete everything."""
        await self._send("DELETE", NAMESPACE, self.namespace)

    async def colour(self) -> str:
        """Say what the pod template says now."""
        found = await self.installation.cluster.get(DEPLOYMENT, "web", self.namespace)
        assert found is not None
        return str(found["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])

    async def versions(self) -> list[VersionRecord]:
        """List the versions, oldest first."""
        record = await self.installation.known(self.app)
        bucket = self.installation.bus.bucket(streams.CATALOG, VersionRecord)
        found = [entry.value async for entry in bucket.items(f"{record.app_id}.")]
        return sorted(found, key=lambda version: version.facts.number)

    async def is_gated(self) -> bool:
        """Say whether the gate answers for the shop."""
        try:
            await self.roll_out("another", dry_run=True)
        except BusyError:
            return True
        except AppShieldError:
            return False
        return False

    async def held(self, change: Callable[[], Awaitable[None]]) -> Run:
        """Make a change that is refused, and return the run that it made, at its end."""
        with pytest.raises(BusyError) as refused:
            await change()
        why = str(refused.value)
        assert "Retry" in why
        run = why.partition("run ")[2].split()[0]
        return await self.installation.ended(run)

    async def _patch(self, patch: Object, *, dry_run: bool = False) -> None:
        strategic = "application/strategic-merge-patch+json"
        await self._send(
            "PATCH",
            DEPLOYMENT,
            "web",
            self.namespace,
            body=patch,
            content_type=strategic,
            query=(("dryRun", "All"),) if dry_run else (),
        )

    async def _send(
        self, method: str, kind: Kind, name: str, namespace: str = "", **more: Any
    ) -> None:
        """Ask once, as a person does who does not try again by himself."""
        path, doing = kind.path(namespace, name), f"change {name}"
        call = Call(method=method, path=path, doing=doing, attempts=1, **more)
        await self.installation.cluster.requests.send(call)


@pytest.fixture
async def shop(installation: Installation, local_cluster: ClusterFacts) -> AsyncIterator[Shop]:
    """A shop whose namespace asked for the gate, and did not ask for more."""
    async with _shop(installation, local_cluster, {}) as made:
        yield made


@pytest.fixture
async def closed(installation: Installation, local_cluster: ClusterFacts) -> AsyncIterator[Shop]:
    """A shop whose namespace fails closed."""
    async with _shop(installation, local_cluster, CLOSED) as made:
        yield made


async def test_a_rollout_waits_for_a_version_of_what_it_changes(shop: Shop) -> None:
    """Refused with the run's name, then passed by that run's version, once for this change."""
    run = await shop.held(lambda: shop.roll_out("blue"))
    assert (run.state, run.failure) == ("succeeded", None)
    assert (run.trigger.kind, run.trigger.name) == ("gate", "before-change")
    assert run.trigger.reason == "before the rollout of Deployment web"
    assert await shop.colour() == "red"

    await shop.scale(0)
    await shop.roll_out("blue")
    assert await shop.colour() == "blue"
    assert [version.facts.run for version in await shop.versions()] == [run.id]

    again = await shop.held(lambda: shop.roll_out("green"))
    assert again.id != run.id


async def test_a_dry_run_begins_nothing(shop: Shop) -> None:
    """It is told what would be, and no version is made."""
    with pytest.raises(BusyError, match="a dry run does not begin that"):
        await shop.roll_out("blue", dry_run=True)
    assert await shop.versions() == []


async def test_what_is_no_rollout_never_waits(shop: Shop) -> None:
    """Scaling, annotations and objects of nobody's gate pass."""
    await shop.scale(2)
    await shop.annotate("note", "something")
    assert await shop.versions() == []


async def test_a_namespace_is_deleted_once_all_in_it_is_saved(closed: Shop) -> None:
    """The whole application goes only after a version that holds it as it stands."""
    run = await closed.held(closed.delete_namespace)
    assert run.state == "succeeded"
    await closed.delete_namespace()
    namespace = await closed.installation.cluster.get(NAMESPACE, closed.namespace)
    assert namespace is None or namespace["metadata"]["deletionTimestamp"]


async def test_a_pipeline_waits_with_one_command(shop: Shop) -> None:
    """Exit code 0 after a version by the gate's rule; 3 for what is unknown."""
    appshield = CommandLine(shop.installation.home.folder)
    passed = await appshield("gate", f"{shop.namespace}/{NAME}", "--wait")
    assert passed.code == 0, passed.err
    [version] = await shop.versions()
    assert (version.facts.trigger, version.facts.trigger_name) == ("gate", "before-change")
    assert (await appshield("gate", f"{shop.namespace}/nothing", "--wait")).code == 3
    assert (await appshield("down")).code == 4


async def test_dead_it_holds_only_what_fails_closed(shop: Shop, closed: Shop) -> None:
    """With a gateway that does not answer, one namespace goes on and the other is safe."""
    with _silent(shop.installation):
        await shop.roll_out("blue")
        with pytest.raises(AppShieldError, match="failed calling webhook"):
            await closed.roll_out("blue")
        await closed.scale(0)
        await closed.annotate(BREAK_GLASS, "AppShield is dead")
        await closed.roll_out("green")
    assert (await shop.colour(), await closed.colour()) == ("blue", "green")


async def test_a_glass_that_is_broken_while_all_is_dead_is_on_record_afterwards(
    closed: Shop,
) -> None:
    """Neither gate nor watcher saw it: the watcher finds it when it is back, and who is unknown."""
    with _silent(closed.installation), _silent(closed.installation, "watcher"):
        await closed.annotate(BREAK_GLASS, "AppShield is dead")
        await closed.roll_out("green")
    told = await wait_until(
        lambda: _broken(closed, UNKNOWN), deadline_s=60, what="the audit tells of it"
    )
    assert (told.object, told.cause) == ("rollout of Deployment web", "AppShield is dead")
    assert told.outcome == "allowed"


async def test_a_broken_glass_lets_pass_and_is_on_record(closed: Shop) -> None:
    """No version is made; who did what and why is in the audit stream."""
    await closed.annotate(BREAK_GLASS, "incident 17")
    await closed.roll_out("blue")
    assert await closed.versions() == []

    told = await wait_until(
        lambda: _broken(closed, "appshield-admin"), deadline_s=30, what="the audit"
    )
    assert (told.object, told.cause) == ("rollout of Deployment web", "incident 17")
    assert (told.actor, told.door, told.outcome) == ("appshield-admin", "gate", "allowed")


async def test_a_restore_goes_through_the_gate(closed: Shop) -> None:
    """AppShield's own restore changes a gated workload back and waits for nothing."""
    await closed.held(lambda: closed.roll_out("blue"))
    await closed.roll_out("blue")
    request = RequestRestore(app=closed.app, request_id=closed.namespace, version=1, existing=True)
    run = await closed.installation.ended(await closed.installation.ask(request))
    assert (run.state, run.failure) == ("succeeded", None)
    assert await closed.colour() == "red"


async def test_certificates_are_made_anew_and_the_gate_goes_on(closed: Shop) -> None:
    """Without its authority the watcher makes another one, and the API server trusts it."""
    cluster = closed.installation.cluster
    before = await cluster.get(SECRET, AUTHORITY_SECRET, SYSTEM_NAMESPACE)
    assert before is not None
    await cluster.delete(SECRET, AUTHORITY_SECRET, namespace=SYSTEM_NAMESPACE)
    await remove_gate(cluster)

    async def anew() -> bool:
        found = await cluster.get(SECRET, AUTHORITY_SECRET, SYSTEM_NAMESPACE)
        return found is not None and found["data"] != before["data"]

    await wait_until(anew, deadline_s=60, what="another authority")

    await wait_until(closed.is_gated, deadline_s=60, what="the gate answers")
    assert (await closed.held(lambda: closed.roll_out("blue"))).state == "succeeded"


async def test_without_a_gated_application_nothing_is_asked(shop: Shop) -> None:
    """A namespace is named in the webhooks as long as something in it has a gate, no longer."""
    assert await _is_named(shop)
    await shop.installation.cluster.merge_patch(
        APPLICATION, NAME, {"spec": {"protect": []}}, namespace=shop.namespace
    )

    async def gone() -> bool:
        return not await _is_named(shop)

    await wait_until(gone, deadline_s=30, what="the namespace out of the webhooks")
    await shop.roll_out("blue")


@asynccontextmanager
async def _shop(
    installation: Installation, facts: ClusterFacts, labels: dict[str, str]
) -> AsyncIterator[Shop]:
    cluster, name = installation.cluster, f"test-gate-{os.urandom(3).hex()}"
    space: Object = {"apiVersion": "v1", "kind": "Namespace"}
    space["metadata"] = {"name": name, "labels": labels}
    await cluster.create(NAMESPACE, space)
    try:
        await cluster.create(DEPLOYMENT, _deployment(facts.pause_image), namespace=name)
        await cluster.create(APPLICATION, _document(name))
        made = Shop(installation, name)
        await installation.known(made.app)
        await cluster.wait_for(
            DEPLOYMENT, "web", name, _is_ready, timeout_s=60, what="Deployment web ready"
        )
        await wait_until(made.is_gated, deadline_s=30, what="the gate answers for the shop")
        yield made
    finally:
        patch = {"metadata": {"annotations": {BREAK_GLASS: "the test is over"}}}
        path = NAMESPACE.path("", name)
        leave = Call(method="PATCH", path=path, doing="leave", body=patch, content_type=MERGE_PATCH)
        await cluster.requests.send(leave)
        await cluster.delete(NAMESPACE, name)


async def _is_named(shop: Shop) -> bool:
    """Say whether a webhook of the gate asks about the shop's namespace."""
    for name in CONFIGURATIONS:
        found = await shop.installation.cluster.get(WEBHOOK_CONFIGURATION, name)
        for webhook in (found or {}).get("webhooks", []):
            if shop.namespace in webhook["namespaceSelector"]["matchExpressions"][0]["values"]:
                return True
    return False


async def _broken(shop: Shop, actor: str) -> AuditEvent | None:
    """Find in the audit that somebody broke the glass of a shop's gate."""
    async for line in lines_of(shop.installation.bus):
        event = read_entry(line).event
        if (event.action, event.actor) == ("break-glass", actor) and (
            event.app.namespace == shop.namespace
        ):
            return event
    return None


@contextmanager
def _silent(installation: Installation, service: str = "gateway") -> Iterator[None]:
    """Let a service, the gateway if none is named, answer nothing for the time of the block."""
    pid = installation.pid(service)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _deployment(image: str) -> Object:
    container = {"name": "main", "image": image, "env": [{"name": "COLOUR", "value": "red"}]}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _document(namespace: str) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"type": "web", "protect": [RULE]},
    }


def _is_ready(obj: Object | None) -> bool:
    return obj is not None and ready(obj).state == "ready"
