"""What is asked for and does not exist, or stands in a document that is wrong, is told by name."""

import uuid

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.streams import APPLICATIONS
from appshield.errors import InvalidInputError
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, EVENT, NAMESPACE
from appshield.kubernetes.requests import Call
from appshield.local.cluster import ClusterFacts
from cluster_application import NAME, deploy, document, namespace_of_its_own
from failures import failed_whole, traces, versions
from installation import Installation
from waiting import wait_until

NEVER = [{"name": "never", "on": {"schedule": "0 0 31 2 *"}}]
SAID = "this schedule never comes: no calendar has the days '31 2 *'"
"""The API server knows no calendar, so it lets such a document pass."""


async def test_an_unknown_application_is_told_and_nothing_is_made(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Backup and restore of what nobody knows fail at once, with what to do."""
    app = installation.app("nowhere", "nothing")
    run = await installation.ended(await installation.ask(_backup(app)))
    assert run.state == "failed"
    assert str(run.failure) == (
        f"application {app} cannot be backed up: no Application of that name. "
        "Apply its document first; `appshield apps` lists the known ones."
    )
    asked = RequestRestore(app=app, request_id=str(uuid.uuid4()), version=1)
    run = await installation.ended(await installation.ask(asked))
    assert run.state == "failed"
    assert f"application {app} is unknown" in str(run.failure)
    assert run.failure
    assert run.failure.next_step


def _backup(app: AppRef) -> RequestBackup:
    return RequestBackup(app=app, request_id=str(uuid.uuid4()))


async def test_an_unknown_version_is_told_with_those_that_are_there(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The reader sees what could be asked for."""
    async with namespace_of_its_own(installation, "version") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        run = await installation.back_up(app)
        assert run.state == "succeeded"
        missing = await installation.restore(app, 7)
    assert missing.state == "failed"
    assert f"application {app} has no version 7: it has 1. " in str(missing.failure)


async def test_an_unknown_field_is_refused_by_the_api_server_by_its_name(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """As kubectl asks for it, with strict validation; nothing of the document is stored."""
    async with namespace_of_its_own(installation, "field") as namespace:
        body = document(namespace, protct=[])
        call = Call(
            method="POST",
            path=APPLICATION.path(namespace),
            query=(("fieldValidation", "Strict"),),
            body=body,
            doing="create applications",
        )
        with pytest.raises(InvalidInputError, match=r'unknown field "spec\.protct"'):
            await installation.cluster.requests.send(call)
        assert await installation.cluster.get(APPLICATION, NAME, namespace) is None


async def test_a_refused_document_leaves_the_last_good_one_in_force(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Status and event say what is wrong; backups go on as before; correcting it is enough."""
    async with namespace_of_its_own(installation, "refused-document") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        before = await installation.known(app)
        await _condition(installation, namespace, "True")

        await _patch(installation, namespace, protect=NEVER)
        refused = await _condition(installation, namespace, "False")
        assert refused["reason"] == "Refused"
        assert SAID in refused["message"]
        assert "change day of month, month or day of week" in refused["message"]
        events = await installation.cluster.list(EVENT, namespace=namespace)
        told = [event for event in events if event["reason"] == "DocumentRefused"]
        assert [event["type"] for event in told] == ["Warning"]
        assert SAID in told[0]["message"]

        record = await _record(installation, before.app_id)
        assert record.revision == before.revision
        run = await installation.back_up(app)
        assert (run.state, run.failure) == ("succeeded", None)
        assert run.backup
        assert run.backup.taken
        assert run.backup.taken.revision == before.revision
        assert run.backup.taken.consistency == "application"

        await _patch(installation, namespace, protect=[])
        await _condition(installation, namespace, "True")
    assert traces(installation) == []


async def test_a_document_that_was_never_good_makes_no_version_and_says_why(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """There is nothing in force, so the backup fails with the field that is wrong."""
    async with namespace_of_its_own(installation, "never-good") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image, spec={"protect": NEVER})
        run = await installation.back_up(installation.app(namespace))
        await failed_whole(installation, run, told=(SAID, "spec.protect[0].on.schedule"))


async def test_a_namespace_that_is_being_deleted_is_neither_saved_nor_restored_into(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Both say so at once and touch nothing; what was saved before stays."""
    async with (
        namespace_of_its_own(installation, "going") as namespace,
        namespace_of_its_own(installation, "going-too") as target,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        assert (await installation.back_up(app)).state == "succeeded"
        for place in (namespace, target):
            await _keep_going(installation, place, local_cluster.busybox_image)
        run = await installation.back_up(app)
        assert run.state == "failed"
        assert f"namespace {namespace} is being deleted" in str(run.failure)
        assert "Its earlier versions are still there" in str(run.failure)

        restored = await installation.restore(app, 1, to=target)
        assert restored.state == "failed"
        assert f"namespace {target} is being deleted" in str(restored.failure)
        assert "Wait until it is gone, then restore again." in str(restored.failure)
        assert await versions(installation, run.app_id) == [1]
        for place in (namespace, target):
            await _let_go(installation, place)
    assert traces(installation) == []


async def _keep_going(installation: Installation, namespace: str, image: str) -> None:
    """Delete a namespace that an Application with a finalizer keeps from being gone."""
    if await installation.cluster.get(APPLICATION, NAME, namespace) is None:
        await installation.cluster.create(APPLICATION, document(namespace))
    held = {"metadata": {"finalizers": ["test.appshield.io/held"]}}
    await installation.cluster.merge_patch(APPLICATION, NAME, held, namespace=namespace)
    await installation.cluster.delete(NAMESPACE, namespace)
    await installation.cluster.wait_for(
        NAMESPACE,
        namespace,
        "",
        lambda obj: (obj or {}).get("status", {}).get("phase") == "Terminating",
        timeout_s=30,
        what="being deleted",
    )


async def _let_go(installation: Installation, namespace: str) -> None:
    free = {"metadata": {"finalizers": None}}
    await installation.cluster.merge_patch(APPLICATION, NAME, free, namespace=namespace)


async def _patch(installation: Installation, namespace: str, *, protect: list[Object]) -> None:
    patch = {"spec": {"protect": protect}}
    await installation.cluster.merge_patch(APPLICATION, NAME, patch, namespace=namespace)


async def _record(installation: Installation, app_id: str) -> ApplicationRecord:
    bucket = installation.bus.bucket(APPLICATIONS, ApplicationRecord)
    entry = await bucket.get(app_id)
    assert entry is not None
    return entry.value


async def _condition(installation: Installation, namespace: str, wanted: str) -> Object:
    """Wait until the condition `Accepted` says `wanted`, and return it."""

    async def look() -> Object | None:
        obj = await installation.cluster.get(APPLICATION, NAME, namespace)
        found = (obj or {}).get("status", {}).get("conditions", [])
        accepted = [one for one in found if one["type"] == "Accepted"]
        return accepted[0] if accepted and accepted[0]["status"] == wanted else None

    return await wait_until(look, deadline_s=30, what=f"Accepted={wanted}")
