"""What comes back is what ran: images by digest, objects in order, and ready when it is said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from appshield.kubernetes import Kind, Object, ready
from appshield.kubernetes.kinds import CONFIG_MAP, POD, PVC, SECRET, SERVICE, STATEFUL_SET
from appshield.kubernetes.watching import Reflector
from appshield.local.cluster import ClusterFacts
from appshield.local.cluster.building import system_program
from appshield.local.cluster.images import build_image, push_image
from cluster_application import (
    CLAIM,
    POD_NAME,
    deploy,
    namespace_of_its_own,
    run_in,
    until_running,
)
from installation import Installation
from waiting import wait_until

TOOLS = ("cat", "echo", "ls", "mkdir", "mv", "rm", "sh", "sleep", "touch", "wc")
READY_AFTER_S = 3
ORDER = (
    {("PersistentVolumeClaim", CLAIM)},
    {("Secret", "credentials"), ("ConfigMap", "settings")},
    {("Service", "db")},
    {("StatefulSet", "db")},
)


async def pushed(facts: ClusterFacts, name: str, says: str) -> str:
    """Push a shell image under the tag `1`, whatever the tag named before; return its digest."""
    busybox = await asyncio.to_thread(system_program("busybox").read_bytes)
    programs = {f"bin/{tool}": busybox for tool in TOOLS}
    content = {**programs, "etc/says": says.encode()}
    image = build_image(content, name=name, tag="1", env={"PATH": "/bin"})
    await push_image(image, facts.registry)
    return image.digest


async def test_an_image_whose_tag_was_moved_comes_back_as_it_ran(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The restored workload names tag and digest, and its container runs the old image."""
    async with (
        namespace_of_its_own(installation, "tagged") as namespace,
        namespace_of_its_own(installation, "moved") as target,
    ):
        name = f"tests/{namespace}"
        tagged = f"{local_cluster.registry}/{name}:1"
        before = await pushed(local_cluster, name, "before")
        await deploy(installation, namespace, tagged)
        app = installation.app(namespace)
        saved = await installation.back_up(app)
        assert (saved.state, saved.failure) == ("succeeded", None)

        after = await pushed(local_cluster, name, "after")
        assert after != before
        restored = await installation.restore(app, 1, to=target)
        assert (restored.state, restored.failure) == ("succeeded", None)
        await until_running(installation, target)
        pod = await installation.cluster.get(POD, POD_NAME, target)
        assert pod is not None
        assert [one["image"] for one in pod["spec"]["containers"]] == [f"{tagged}@{before}"]
        (status,) = pod["status"]["containerStatuses"]
        assert status["imageID"].partition("@")[2] == before
        assert await run_in(installation, target, "cat /etc/says") == "before"


@dataclass
class Birth:
    """Takes what is made, with the place of its making in the cluster's history."""

    places: dict[tuple[str, str], int] = field(default_factory=dict)

    async def replace(self, objects: list[Object]) -> None:
        for obj in objects:
            await self.changed(obj)

    async def changed(self, obj: Object) -> None:
        meta = obj["metadata"]
        self.places.setdefault((obj["kind"], meta["name"]), int(meta["resourceVersion"]))

    async def deleted(self, obj: Object) -> None:
        pass


@asynccontextmanager
async def births(
    installation: Installation, namespace: str, *kinds: Kind
) -> AsyncIterator[dict[tuple[str, str], int]]:
    """Watch objects of these kinds come into a namespace."""
    birth, stopping = Birth(), asyncio.Event()
    cluster = installation.cluster
    watches = [Reflector(cluster, kind, sink=birth, namespace=namespace) for kind in kinds]
    async with asyncio.TaskGroup() as tasks:
        for watch in watches:
            tasks.create_task(watch.run(stopping))
        try:
            await wait_until(
                lambda: all(watch.synced for watch in watches), deadline_s=20, what="watching"
            )
            yield birth.places
        finally:
            stopping.set()


async def test_objects_come_back_in_order_and_the_restore_waits_until_they_are_ready(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Claims and their data first, then what others need; no success before all is ready."""
    async with (
        namespace_of_its_own(installation, "ordered") as namespace,
        namespace_of_its_own(installation, "orderly") as target,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        found = await installation.cluster.get(STATEFUL_SET, "db", namespace)
        assert found is not None
        (container,) = found["spec"]["template"]["spec"]["containers"]
        probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": READY_AFTER_S}
        spec = {"containers": [{**container, "readinessProbe": probe}]}
        patch: Object = {"spec": {"template": {"spec": spec}}}
        await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
        await until_running(installation, namespace)
        app = installation.app(namespace)
        assert (await installation.back_up(app)).state == "succeeded"

        kinds = (CONFIG_MAP, SECRET, PVC, SERVICE, STATEFUL_SET)
        async with births(installation, target, *kinds) as places:
            restored = await installation.restore(app, 1, to=target)
            workload = await installation.cluster.get(STATEFUL_SET, "db", target)
        assert (restored.state, restored.failure) == ("succeeded", None)
        assert workload is not None
        assert ready(workload).state == "ready"
        groups = [[places[one] for one in group] for group in ORDER]
        for earlier, later in pairwise(groups):
            assert max(earlier) < min(later), places
