"""Documents of other frameworks on the real cluster, with definitions of their kinds installed.

The definitions say of each field that is used what those of the projects say (`foreign_kinds`), and
documents are written as strictly as kubectl does: what a project's own definition refuses is
refused here.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from appshield.errors import InvalidInputError
from appshield.kubernetes import Kind, Object, PodRef, kinds, ready
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, CRD, NAMESPACE, SECRET, STATEFUL_SET
from appshield.kubernetes.requests import Call
from appshield.language.adapters import ADAPTERS
from appshield.local.cluster import STORAGE_CLASS, ClusterFacts
from appshield.watcher.adapting import kind_of
from cluster_application import namespace_of_its_own
from foreign_kinds import FOREIGN, TRACKER, definition, has_status_apart
from installation import Installation
from unit.language.adapters.test_adapters import documents

TAKEN_UP_S = 60.0
"""A kind that was not served when the services started is asked for again every 30 s."""
DUMP = """
kind: ProtectedApplication
apiVersion: gkebackup.gke.io/v1
metadata: { name: pair }
spec:
  resourceSelection: { type: Selector, selector: { matchLabels: { app: pair } } }
  components:
    - name: data
      resourceKind: StatefulSet
      resourceNames: [primary, secondary]
      strategy:
        type: DumpAndLoad
        dumpAndLoad:
          dumpTarget: secondary
          loadTarget: primary
          dumpHooks:
            - { name: dump, container: main, command: [sh, -c, "hostname > /data/dump"] }
          loadHooks:
            - { name: load, container: main, command: [sh, -c, "cp /data/dump /data/loaded"] }
          volumeSelector: { matchLabels: { holds: dumps } }
"""


@pytest.fixture(scope="module")
async def kinds_served(installation: Installation) -> AsyncIterator[None]:
    """Have the API server serve every foreign kind for the time of these tests."""
    cluster = installation.cluster
    definitions = [definition(kind) for kind in [*FOREIGN, TRACKER]]
    for one in definitions:
        await cluster.apply(CRD, one)
    for one in definitions:
        name = one["metadata"]["name"]
        await cluster.wait_for(CRD, name, "", _established, timeout_s=30, what=f"{name} served")
    yield
    for one in definitions:
        await cluster.delete(CRD, one["metadata"]["name"])


def _established(obj: Object | None) -> bool:
    conditions = (obj or {}).get("status", {}).get("conditions", [])
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


async def _write(installation: Installation, body: Object, *, dry_run: bool = False) -> None:
    """Create an object as strictly as kubectl does; its status too, as its controller would."""
    served = [kind_of(kind) for kind in [*FOREIGN, TRACKER]]
    every = {(kind.api_version, kind.kind): kind for kind in [*served, SECRET, CONFIG_MAP]}
    kind: Kind = every[body["apiVersion"], body["kind"]]
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
    call = Call(
        method="POST",
        path=kind.path(namespace),
        doing=f"create {name}",
        query=(("fieldValidation", "Strict"), *((("dryRun", "All"),) if dry_run else ())),
        body=body,
    )
    await installation.cluster.requests.send(call)
    if has_status_apart(body) and body.get("status") and not dry_run:
        status = body["status"]
        await installation.cluster.patch_status(kind, name, status, namespace=namespace)


async def _adapted(installation: Installation, namespace: str, name: str) -> Object:
    def accepted(obj: Object | None) -> bool:
        conditions = (obj or {}).get("status", {}).get("conditions", [])
        return any(one["type"] == "Accepted" and one["status"] == "True" for one in conditions)

    return await installation.cluster.wait_for(
        APPLICATION, name, namespace, accepted, timeout_s=TAKEN_UP_S, what=f"{name} accepted"
    )


@pytest.mark.usefixtures("kinds_served")
async def test_every_framework_s_example_becomes_an_application_that_is_accepted(
    installation: Installation,
) -> None:
    """And goes with its document; namespaces are those of the examples."""
    examples = {name: documents(name) for name in ("oam", "gke-all", "argocd", "app.k8s.io")}
    examples |= {name: documents(name) for name in ("helm", "helm-configmaps")}
    written = [body for bodies in examples.values() for body in bodies]
    places = {"prod": "website", "sales": "nginx", "guestbook": "guestbook"}
    places |= {"blog": "wordpress-01", "shop": "shop", "wiki": "wiki"}
    for namespace in {*places, "argocd"}:
        await installation.cluster.apply(
            NAMESPACE,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        )
    try:
        for body in written:
            await _write(installation, body)
        made = await asyncio.gather(
            *(_adapted(installation, namespace, name) for namespace, name in places.items())
        )
        assert {one["metadata"]["labels"]["appshield.io/adapter"] for one in made} == {
            adapter.name for adapter in ADAPTERS
        }
        guestbook = kind_of(next(one for one in FOREIGN if one.group == "argoproj.io"))
        await installation.cluster.delete(guestbook, "guestbook", namespace="argocd")
        await installation.cluster.wait_for(
            APPLICATION,
            "guestbook",
            "guestbook",
            lambda obj: obj is None,
            timeout_s=30,
            what="the application of a deleted document is gone",
        )
    finally:
        for namespace in {*places, "argocd"}:
            await installation.cluster.delete(NAMESPACE, namespace)
        tracker = kind_of(TRACKER)
        for one in await installation.cluster.list(tracker):
            await installation.cluster.delete(tracker, one["metadata"]["name"])


def _workload(name: str, image: str) -> Object:
    labels = {"app": "pair"}
    claim = {
        "metadata": {"name": "data", "labels": {"holds": "dumps", **labels}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS,
            "resources": {"requests": {"storage": "64Mi"}},
        },
    }
    container = {
        "name": "main",
        "image": image,
        "command": ["sh", "-c", "while true; do sleep 1; done"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    selector = {**labels, "role": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "serviceName": name,
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": selector}, "spec": spec},
            "volumeClaimTemplates": [claim],
        },
    }


WRONG: list[tuple[str, tuple[str | int, ...], object]] = [
    ("oam", ("spec", "components", 0, "type"), None),
    ("oam", ("spec", "polices"), []),
    ("argocd", ("spec", "project"), None),
    ("argocd", ("status", "history", 0, "deployedAt"), "yesterday"),
    ("argocd", ("status", "resources", 0, "hook"), "no"),
    ("app.k8s.io", ("spec", "componentKinds", 0, "group"), None),
    ("gke-all", ("spec", "components", 0, "strategy", "type"), "BackupSome"),
    ("gke-all", ("spec", "components", 0, "resourceKind"), "DaemonSet"),
]


@pytest.mark.usefixtures("kinds_served")
@pytest.mark.parametrize(("name", "path", "value"), WRONG)
async def test_what_a_project_s_definition_refuses_is_refused(
    installation: Installation, name: str, path: tuple[str | int, ...], value: object
) -> None:
    """A field that is missing, misspelt, of another type, or none of the choices."""
    document = documents(name)[0]
    document["metadata"]["namespace"] = "default"
    await _write(installation, document, dry_run=True)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(InvalidInputError):
        await _write(installation, document, dry_run=True)


@pytest.mark.usefixtures("kinds_served")
@pytest.mark.parametrize("name", ["argocd-sources", "gke-one", "gke-dump"])
async def test_every_other_example_is_accepted(installation: Installation, name: str) -> None:
    for document in documents(name):
        document["metadata"]["namespace"] = "default"
        await _write(installation, document, dry_run=True)


@pytest.mark.usefixtures("kinds_served")
async def test_a_dump_of_one_workload_is_restored_and_loaded_by_another(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Backup for GKE's DumpAndLoad with two workloads, each with a volume for dumps."""
    cluster = installation.cluster
    async with (
        namespace_of_its_own(installation, "pair") as namespace,
        namespace_of_its_own(installation, "pair-copy") as other,
    ):
        for name in ("primary", "secondary"):
            body = _workload(name, local_cluster.busybox_image)
            await cluster.create(STATEFUL_SET, body, namespace=namespace)
        for name in ("primary", "secondary"):
            await _running(installation, namespace, name)
        document = yaml.safe_load(DUMP)
        document["metadata"]["namespace"] = namespace
        await _write(installation, document)
        await _adapted(installation, namespace, "pair")
        app = installation.app(namespace, "pair")
        run = await installation.back_up(app)
        assert (run.state, run.failure) == ("succeeded", None)
        assert run.backup
        stored = [one.name for one in run.backup.stored if one.name.startswith("volumes/")]
        assert stored == ["volumes/data-secondary-0"]

        restored = await installation.restore(app, 1, to=other)
        assert (restored.state, restored.failure) == ("succeeded", None)
        assert await _read(installation, other, "primary-0", "/data/loaded") == "secondary-0"
        assert await _read(installation, other, "secondary-0", "/data/dump") == "secondary-0"


async def _running(installation: Installation, namespace: str, name: str) -> None:
    await installation.cluster.wait_for(
        kinds.STATEFUL_SET,
        name,
        namespace,
        lambda obj: obj is not None and ready(obj).state == "ready",
        timeout_s=90,
        what=f"{name} ready",
    )


async def _read(installation: Installation, namespace: str, pod: str, path: str) -> str:
    written = bytearray()

    async def take(piece: bytes) -> None:
        written.extend(piece)

    where = PodRef(namespace, pod, "main")
    done = await installation.cluster.execute(where, ["cat", path], stdout=take, timeout_s=30)
    assert done.exit_code == 0, done.stderr_tail
    return written.decode().strip()
