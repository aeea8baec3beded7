"""Every accepted content of a document is kept, and a version names the one that made it."""

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.contracts.streams import APPLICATIONS
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, CONTROLLER_REVISION, POLICY
from appshield.language.revisions import Revision, read_revision
from appshield.local.cluster import ClusterFacts
from cluster_application import NAME, deploy, namespace_of_its_own
from command_line import CommandLine
from installation import Installation
from waiting import wait_until

HOURLY = [{"name": "hourly", "on": {"rpo": "1h"}}]
NEVER = [{"name": "never", "on": {"schedule": "0 0 31 2 *"}}]


@pytest.mark.timeout(240)
async def test_a_version_names_the_revision_that_made_it(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """A change is in force without anybody's doing; a refused one makes no revision."""
    async with namespace_of_its_own(installation, "revisions") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        first = (await installation.known(app)).revision
        assert (await installation.back_up(app)).state == "succeeded"

        await _change(installation, namespace, HOURLY)
        second = await _revision_after(installation, namespace, first)
        assert (await installation.back_up(app)).state == "succeeded"
        status = await _promised(installation, namespace)
        assert (status["rpo"], status["revision"]) == ("1h", second)

        await _change(installation, namespace, NEVER)
        await _refused(installation, namespace)
        kept = await _kept(installation, namespace)
        assert [one.digest for one in kept] == [first, second]
        assert kept[1].document["spec"]["protect"] == HOURLY

        appshield = CommandLine(installation.home.folder, KUBECONFIG=str(local_cluster.kubeconfig))
        listed = (await appshield("revisions", f"{namespace}/{NAME}", "-o", "json")).json()
        assert [(one["versions"], one["in_force"]) for one in listed] == [([2], True), ([1], False)]
        changed = await appshield("revisions", f"{namespace}/{NAME}", first[:8], second[:8])
        assert changed.code == 0, changed.err
        assert "+      rpo: 1h" in changed.out
        shown = await appshield("status", f"{namespace}/{NAME}")
        assert "this schedule never comes" in shown.out
        checked = await appshield("validate", "--server", "-", stdin=_document(namespace))
        assert checked.code == 0, checked.err
        assert f"namespace {namespace} has no StatefulSet nothing" in checked.err
        hasty = _document(namespace, name=NAME, rpo="1s")
        measured = await appshield("validate", "--server", "-", stdin=hasty)
        assert "wants a version every 1s, and a backup takes " in measured.err


@pytest.mark.timeout(240)
async def test_what_a_policy_said_is_kept_until_the_policy_goes(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """In AppShield's own namespace, as a policy has none; a refused one makes no revision."""
    appshield = CommandLine(installation.home.folder, KUBECONFIG=str(local_cluster.kubeconfig))
    name, cluster = "kept-revisions", installation.cluster
    try:
        for rpo, attribute, count in (("1h", "name", 1), ("2h", "name", 2), ("3h", "nam", 2)):
            await cluster.apply(POLICY, _policy(name, rpo, attribute))
            await wait_until(lambda: _judged(installation, name), deadline_s=60, what=rpo)
            listed = (await appshield("revisions", name, "--kind", "Policy", "-o", "json")).json()
            assert len(listed) == count
        documents = [one["revision"]["document"]["spec"]["alerts"] for one in listed]
        assert documents == [{"rpo": "2h"}, {"rpo": "1h"}]
        assert [one["in_force"] for one in listed] == [True, False]
    finally:
        await cluster.delete(POLICY, name)

    async def gone() -> bool:
        kept = await cluster.list(CONTROLLER_REVISION, namespace=SYSTEM_NAMESPACE)
        return not any(obj["metadata"]["name"].startswith(name) for obj in kept)

    await wait_until(gone, deadline_s=60, what="revisions are gone with their policy")


def _policy(name: str, rpo: str, attribute: str) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": name},
        "spec": {"match": f"app.{attribute} == 'nobody'", "alerts": {"rpo": rpo}},
    }


async def _judged(installation: Installation, name: str) -> bool:
    """Say whether the status is about the newest document."""
    obj = await installation.cluster.get(POLICY, name) or {}
    status = obj.get("status") or {}
    return bool(status.get("observedGeneration") == obj["metadata"]["generation"])


def _document(namespace: str, *, name: str = "other", rpo: str = "1h") -> str:
    component = "{name: db, workload: {kind: StatefulSet, name: nothing}}"
    spec = f"{{components: [{component}], protect: [{{name: a, on: {{rpo: {rpo}}}}}]}}"
    head = "apiVersion: appshield.io/v1alpha1\nkind: Application\n"
    return f"{head}metadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


async def _change(installation: Installation, namespace: str, protect: list[Object]) -> None:
    patch = {"spec": {"protect": protect}}
    await installation.cluster.merge_patch(APPLICATION, NAME, patch, namespace=namespace)


async def _revision_after(installation: Installation, namespace: str, before: str) -> str:
    async def look() -> str:
        bucket = installation.bus.bucket(APPLICATIONS, ApplicationRecord)
        app = installation.app(namespace)
        found = [entry.value async for entry in bucket.items() if entry.value.app == app]
        return next((one.revision for one in found if one.revision != before), "")

    return await wait_until(look, deadline_s=30, what="the change in force")


async def _promised(installation: Installation, namespace: str) -> Object:
    async def look() -> Object | None:
        obj = await installation.cluster.get(APPLICATION, NAME, namespace)
        status = (obj or {}).get("status") or {}
        return status if "rpo" in status else None

    return await wait_until(look, deadline_s=30, what="the promise in the status")


async def _refused(installation: Installation, namespace: str) -> None:
    async def look() -> bool:
        obj = await installation.cluster.get(APPLICATION, NAME, namespace)
        conditions = ((obj or {}).get("status") or {}).get("conditions") or []
        return any(one["reason"] == "Refused" for one in conditions)

    await wait_until(look, deadline_s=30, what="the refusal in the status")


async def _kept(installation: Installation, namespace: str) -> list[Revision]:
    found = await installation.cluster.list(CONTROLLER_REVISION, namespace=namespace)
    ours = [obj for obj in found if obj["metadata"]["name"].startswith(f"{NAME}-")]
    return sorted(map(read_revision, ours), key=lambda one: one.generation)
