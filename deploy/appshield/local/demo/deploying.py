"""Puts the demo application into a cluster, changes it, and takes it away again."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

import aiohttp

from appshield.errors import RefusedError, RunFailedError, UnavailableError
from appshield.kubernetes import Cluster, Object, PodRef, ready
from appshield.kubernetes.kinds import (
    APPLICATION,
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    STATEFUL_SET,
    Kind,
)
from appshield.local.cluster.waiting import Backoff
from appshield.local.demo import application
from appshield.local.demo.images import ShopImages
from appshield.local.demo.reading import KINDS, read_text, web_url

READY_DEADLINE_S = 120.0
GONE_DEADLINE_S = 120.0
COMMAND_DEADLINE_S = 30.0
ANSWER_DEADLINE_S = 30.0

GREETING = "Welcome"
CHANGED_GREETING = "Welcome back"

_KIND_OF = {kind.kind: kind for kind in KINDS}


async def remove_left_over(cluster: Cluster, namespace: str) -> bool:
    """Delete what an earlier demo left; tell whether there was something.

    Raises:
        RefusedError: the namespace was not made by a demo.
    """
    found = await cluster.get(NAMESPACE, namespace)
    if found is None:
        return False
    if not application.is_ours(found):
        raise RefusedError(
            f"the namespace {namespace} exists already",
            why="the demo makes a namespace of its own and deletes it, and did not make this one",
            next_step=f"If nobody needs it, delete it: `kubectl delete namespace {namespace}`",
        )
    await destroy(cluster, namespace)
    return True


async def deploy(cluster: Cluster, namespace: str, images: ShopImages) -> None:
    """Create the application in a new namespace and wait until it serves.

    Raises:
        AlreadyExistsError: the namespace is there.
        DeadlineError: it was not ready in time.
    """
    await cluster.create(NAMESPACE, application.shop_namespace(namespace))
    objects = application.shop_objects(
        namespace=namespace,
        database_image=images.database,
        web_image=images.web_1,
        password=secrets.token_urlsafe(24),
        greeting=GREETING,
    )
    for wanted in objects:
        await cluster.create(_KIND_OF[wanted["kind"]], wanted)
    await wait_until_served(cluster, namespace)


async def protect(cluster: Cluster, namespace: str) -> None:
    """Tell AppShield about the application."""
    await cluster.apply(APPLICATION, application.shop_document(namespace), field_manager="demo")


async def wait_until_served(cluster: Cluster, namespace: str) -> None:
    """Wait until both workloads are ready and the service answers from outside."""
    for kind, name in ((STATEFUL_SET, application.DATABASE), (DEPLOYMENT, application.WEB)):
        await _wait_ready(cluster, kind, name, namespace)
    await _eventually(lambda: _answers(cluster, namespace, "/healthz", "ok"))


async def change(cluster: Cluster, namespace: str, images: ShopImages) -> None:
    """Change data, configuration and image, so that version 1 can be told from what runs now."""
    await _change_data(cluster, namespace)
    name = "web-settings"
    await cluster.merge_patch(
        CONFIG_MAP, name, {"data": {"greeting": CHANGED_GREETING}}, namespace=namespace
    )
    deployment = await cluster.get(DEPLOYMENT, application.WEB, namespace)
    if deployment is None:
        raise RunFailedError(f"the deployment {application.WEB} is gone")
    template = deployment["spec"]["template"]
    template["spec"]["containers"][0]["image"] = images.web_2
    await cluster.merge_patch(
        DEPLOYMENT, application.WEB, {"spec": {"template": template}}, namespace=namespace
    )
    await wait_until_served(cluster, namespace)
    await _eventually(lambda: _answers(cluster, namespace, "/version", "2"))
    await _eventually(lambda: _answers(cluster, namespace, "/config", CHANGED_GREETING))


async def destroy(cluster: Cluster, namespace: str) -> None:
    """Delete the namespace with everything in it, and wait until it is gone."""
    await cluster.delete(NAMESPACE, namespace)
    await cluster.wait_for(
        NAMESPACE,
        namespace,
        "",
        lambda found: found is None,
        timeout_s=GONE_DEADLINE_S,
        what="gone",
    )


async def _change_data(cluster: Cluster, namespace: str) -> None:
    """Change the first row and file, and delete every second row."""
    url = await web_url(cluster, namespace)
    timeout = aiohttp.ClientTimeout(total=COMMAND_DEADLINE_S)
    try:
        async with aiohttp.ClientSession(url, timeout=timeout, raise_for_status=True) as session:
            for path in ("/rows/1", "/files/1"):
                async with session.put(path, data=b"changed after version 1"):
                    pass
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnavailableError(
            f"the web service at {url} takes no writes", why=str(error)
        ) from error
    pod = PodRef(namespace=namespace, pod=f"{application.DATABASE}-0", container="postgres")
    command = ("psql", "-qc", "DELETE FROM rows WHERE n % 2 = 0")
    outcome = await cluster.execute(pod, command, timeout_s=COMMAND_DEADLINE_S)
    if outcome.exit_code != 0:
        raise RunFailedError("rows could not be deleted in the database", why=outcome.stderr_tail)


async def _wait_ready(cluster: Cluster, kind: Kind, name: str, namespace: str) -> None:
    def is_ready(found: Object | None) -> bool:
        return found is not None and ready(found).state == "ready"

    await cluster.wait_for(
        kind, name, namespace, is_ready, timeout_s=READY_DEADLINE_S, what="ready"
    )


async def _answers(cluster: Cluster, namespace: str, path: str, wanted: str) -> None:
    url = await web_url(cluster, namespace)
    answer = await read_text(url, path)
    if wanted not in answer:
        raise UnavailableError(f"{url}{path} answers {answer!r}", why=f"{wanted!r} was expected")


async def _eventually(attempt: Callable[[], Awaitable[None]]) -> None:
    """Attempt until it succeeds; raise its last error after the deadline."""
    last_s = time.monotonic() + ANSWER_DEADLINE_S
    pauses = Backoff()
    while True:
        try:
            return await attempt()
        except UnavailableError:
            if time.monotonic() > last_s:
                raise
        await asyncio.sleep(pauses.next_s())
