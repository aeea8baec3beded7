"""Reads the application as it runs: rows and files over its service, objects from the cluster."""

import hashlib
from collections.abc import Mapping

import aiohttp

from appshield.errors import NotFoundError, UnavailableError
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NODE,
    POD,
    PVC,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Object,
)
from appshield.local.demo.application import NAME, WEB
from appshield.local.demo.facts import Running, Stored
from appshield.local.demo.write_log import Stream

KINDS = (SERVICE_ACCOUNT, CONFIG_MAP, SECRET, PVC, SERVICE, STATEFUL_SET, DEPLOYMENT)
"""The kinds that make up the application."""

PUT_IN_EVERY_NAMESPACE = frozenset({"ConfigMap kube-root-ca.crt", "ServiceAccount default"})
"""What the cluster itself puts into each namespace."""

READ_DEADLINE_S = 60.0


async def web_url(cluster: Cluster, namespace: str) -> str:
    """Return where the web service is reached from outside the cluster.

    Raises:
        NotFoundError: the service has no port on the nodes, or no node has an address.
    """
    service = await cluster.get(SERVICE, WEB, namespace)
    ports = service["spec"]["ports"] if service else []
    addresses = [
        address["address"]
        for node in await cluster.list(NODE)
        for address in node.get("status", {}).get("addresses", ())
        if address["type"] == "InternalIP"
    ]
    if not ports or not ports[0].get("nodePort") or not addresses:
        raise NotFoundError(
            f"the service {WEB} in namespace {namespace} cannot be reached from here",
            why="it has no node port, or no node has an internal address",
            next_step=f"Look at it with `kubectl -n {namespace} get service {WEB} -o yaml`",
        )
    return f"http://{addresses[0]}:{ports[0]['nodePort']}"


async def read_running(cluster: Cluster, namespace: str) -> Running:
    """Read the objects and images that run."""
    return Running(
        objects=await read_objects(cluster, namespace),
        images=await read_images(cluster, namespace),
    )


async def read_stored(cluster: Cluster, namespace: str) -> Stored:
    """Read all rows and files.

    Raises:
        UnavailableError: the web service does not answer.
    """
    url = await web_url(cluster, namespace)
    return Stored(rows=await _digests(url, "rows"), files=await _digests(url, "files"))


async def read_objects(cluster: Cluster, namespace: str) -> dict[str, Object]:
    """Return the objects that somebody made in the namespace, by `Kind name`."""
    found: dict[str, Object] = {}
    for kind in KINDS:
        for listed in await cluster.list(kind, namespace=namespace):
            name = f"{kind.kind} {listed['metadata']['name']}"
            if name not in PUT_IN_EVERY_NAMESPACE and "ownerReferences" not in listed["metadata"]:
                found[name] = _without_secrets(listed)
    return found


async def read_images(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Return the digest that each container of the application runs, by `component/container`.

    Only what follows the `@` counts: the name before it is one of several that an image may have.
    """
    selector = f"app.kubernetes.io/part-of={NAME}"
    pods = await cluster.list(POD, namespace=namespace, label_selector=selector)
    return {
        f"{pod['metadata']['labels']['app.kubernetes.io/name']}/{status['name']}": status[
            "imageID"
        ].rpartition("@")[2]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        for status in pod.get("status", {}).get("containerStatuses", ())
    }


async def read_text(url: str, path: str) -> str:
    """Return the answer to one GET of the web service.

    Raises:
        UnavailableError: it does not answer, or with an error.
    """
    timeout = aiohttp.ClientTimeout(total=READ_DEADLINE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
            session.get(url + path) as answer,
        ):
            return await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnavailableError(
            f"the web service at {url} does not answer {path}", why=str(error)
        ) from error


async def _digests(url: str, stream: Stream) -> Mapping[int, str]:
    lines = (await read_text(url, f"/{stream}")).splitlines()
    pairs = (line.split(" ") for line in lines)
    return {int(n): digest for n, digest in pairs}


def _without_secrets(listed: Object) -> Object:
    """Return the object as it is; of a Secret, with digests instead of values."""
    if listed["kind"] != SECRET.kind:
        return listed
    values = listed.get("data", {})
    hidden = {key: hashlib.sha256(value.encode()).hexdigest() for key, value in values.items()}
    return {**listed, "data": hidden}
