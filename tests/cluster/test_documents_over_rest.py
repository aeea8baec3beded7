"""Documents over REST on the real API server: its rights and its admission decide, in its words."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from appshield.doors.actions import SEE_APPLICATIONS, Role
from appshield.doors.roles import role_name
from appshield.gateway.api.application import PATH
from appshield.kubernetes import Cluster, ClusterAccess, Object, kinds
from appshield.local.cluster import ClusterFacts
from appshield.watcher.kinds import install_kinds
from kubernetes_api import namespace_in
from memory_bus import MemoryBus
from rest_api import RecordedActs, rest_api, served, talking_to
from rights import give
from waiting import wait_until

DOCUMENT = """\
apiVersion: appshield.io/v1alpha1
kind: Application
metadata: {name: web}
spec:
  type: web
  resources: {follow: false}
  protect:
    - {name: nightly, "on": {schedule: "30 2 * * *"}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace with two people, and the API over the real cluster."""

    admin: Cluster
    namespace: str
    viewer: str
    operator: str
    address: str
    audit: RecordedActs

    @property
    def path(self) -> str:
        """Where the document is."""
        return f"{PATH}/documents/Application/{self.namespace}/web"


@pytest.fixture
async def place(local_cluster: ClusterFacts) -> AsyncIterator[Place]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as admin, namespace_in(admin) as namespace:
        await install_kinds(admin)
        roles: tuple[Role, ...] = ("viewer", "operator")
        people = {role: f"{role}-{secrets.token_hex(4)}" for role in roles}
        for role, name in people.items():
            subject: Object = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User"}
            subject["name"] = name
            await give(admin, namespace, role_name(role), subject)
            if role == "operator":  # who lets everything be saved has to see everything
                await give(admin, namespace, "edit", subject)
        sees = frozenset({(SEE_APPLICATIONS.verb, SEE_APPLICATIONS.resource, namespace)})
        audit = RecordedActs()
        table = dict.fromkeys(people.values(), sees)
        application = rest_api(MemoryBus(), table, cluster=admin, auditor=audit)
        async with served(application) as address:
            yield Place(admin, namespace, people["viewer"], people["operator"], address, audit)


async def test_a_viewer_writes_nothing_and_learns_why(place: Place) -> None:
    """The API server's own reason is the answer, and the refusal is on record."""
    async with talking_to(place.address, place.viewer) as client:
        refused = await client.put(place.path, content=DOCUMENT)
        assert refused.status_code == 403, refused.text
        detail = refused.json()["detail"]
        assert f'User "{place.viewer}" cannot create resource "applications"' in detail
        asked = f"{PATH}/documents/validate?server=true&namespace={place.namespace}"
        checked = (await client.post(asked, content=DOCUMENT)).json()
        assert any(place.viewer in one["wrong"] for one in checked["report"]["errors"])
    assert [act.outcome for act in place.audit.acts] == ["begun", "denied"]
    assert await place.admin.get(kinds.APPLICATION, "web", place.namespace) is None


async def test_an_operator_writes_in_the_state_that_they_read(place: Place) -> None:
    """What the cluster itself refuses is a problem with its words; a stale state is told."""
    async with talking_to(place.address, place.operator) as client:
        all_of_it = DOCUMENT.replace("  resources: {follow: false}\n", "")

        async def in_force() -> bool:
            tried = await client.put(f"{place.path}?dry_run=true", content=all_of_it)
            return tried.status_code == 403

        await wait_until(in_force, deadline_s=30, what="the admission rules are in force")
        refused = await client.put(place.path, content=all_of_it)
        assert refused.status_code == 403
        assert "captures.appshield.io" in refused.json()["detail"]
        made = await client.put(place.path, content=DOCUMENT)
        assert made.status_code == 201, made.text
        stale = made.headers["etag"]
        tried = await client.put(
            f"{place.path}?dry_run=true", content=DOCUMENT, headers={"If-Match": stale}
        )
        assert tried.status_code == 200, tried.text
        changed = DOCUMENT.replace("type: web", "type: stateless")
        replaced = await client.put(place.path, content=changed, headers={"If-Match": stale})
        assert replaced.status_code == 200, replaced.text
        again = await client.put(place.path, content=DOCUMENT, headers={"If-Match": stale})
        assert again.status_code == 412
        late = await client.delete(place.path, headers={"If-Match": stale})
        assert late.status_code == 412
        gone = await client.delete(place.path, headers={"If-Match": replaced.headers["etag"]})
        assert gone.status_code == 204, gone.text
    assert await place.admin.get(kinds.APPLICATION, "web", place.namespace) is None


async def test_nobody_reaches_another_namespace_through_the_door(place: Place) -> None:
    """Whoever may write here may not write there."""
    async with (
        namespace_in(place.admin) as other,
        talking_to(place.address, place.operator) as client,
    ):
        path = place.path.replace(place.namespace, other)
        assert (await client.put(path, content=DOCUMENT)).status_code == 403
        assert await place.admin.get(kinds.APPLICATION, "web", other) is None
