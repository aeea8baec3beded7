"""An API server under test, fake or real, with the few things that only a test may do to it."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import yaml

from appshield.kubernetes import Cluster, ClusterAccess, Object, kinds
from fake_kubernetes import FakeKubernetes
from tcp_proxy import TcpProxy


class Api(Protocol):
    """What the conformance suite needs beside the API itself."""

    @property
    def kubeconfig(self) -> str:
        """The path of its kubeconfig."""

    async def terminate(self, cluster: Cluster, namespace: str) -> None:
        """Bring a namespace into deletion and keep it there."""


class FakeApi:
    """The fake."""

    def __init__(self, fake: FakeKubernetes) -> None:
        self._fake = fake

    @property
    def kubeconfig(self) -> str:
        return self._fake.kubeconfig

    async def terminate(self, cluster: Cluster, namespace: str) -> None:
        self._fake.terminate(namespace)


class RealApi:
    """A real cluster: an object with a finalizer keeps its namespace in deletion."""

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = kubeconfig
        self.kept: list[tuple[str, str]] = []

    async def terminate(self, cluster: Cluster, namespace: str) -> None:
        keeper = config_map("keeper")
        keeper["metadata"]["finalizers"] = ["appshield.io/test"]
        await cluster.create(kinds.CONFIG_MAP, keeper, namespace=namespace)
        self.kept.append(("keeper", namespace))
        await cluster.delete(kinds.NAMESPACE, namespace)

    async def let_go(self) -> None:
        """Let the namespaces that `terminate` holds go."""
        async with Cluster.connect(ClusterAccess(kubeconfig=self.kubeconfig)) as cluster:
            for name, namespace in self.kept:
                patch: Object = {"metadata": {"finalizers": None}}
                await cluster.merge_patch(kinds.CONFIG_MAP, name, patch, namespace=namespace)


def config_map(name: str, *, data: str = "1", labels: dict[str, str] | None = None) -> Object:
    """Return a ConfigMap, the simplest of objects."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels or {"appshield.io/test": "1"}},
        "data": {"value": data},
    }


def gadgets(group: str) -> Object:
    """Return the definition of a custom resource with a status, kind Gadget."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": kinds.CRD.api_version,
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


@asynccontextmanager
async def namespace_in(cluster: Cluster) -> AsyncIterator[str]:
    """Yield a fresh namespace; asks for its deletion at the end."""
    name = f"test-{secrets.token_hex(4)}"
    body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await cluster.create(kinds.NAMESPACE, body)
    try:
        yield name
    finally:
        await cluster.delete(kinds.NAMESPACE, name)


@asynccontextmanager
async def through_proxy(kubeconfig: str, folder: Path) -> AsyncIterator[tuple[TcpProxy, Cluster]]:
    """Yield a proxy in front of the API server and a cluster that is reached through it."""
    document = await asyncio.to_thread(lambda: yaml.safe_load(Path(kubeconfig).read_text()))
    server = urlsplit(document["clusters"][0]["cluster"]["server"])
    assert server.hostname is not None
    async with TcpProxy(server.hostname, server.port or 443) as proxy:
        cluster = document["clusters"][0]["cluster"]
        cluster["server"] = f"{server.scheme}://127.0.0.1:{proxy.port}"
        if server.scheme == "https":
            cluster["tls-server-name"] = server.hostname
        path = folder / "kubeconfig-through-proxy"
        await asyncio.to_thread(path.write_text, json.dumps(document))
        async with Cluster.connect(ClusterAccess(kubeconfig=str(path))) as connected:
            yield proxy, connected
