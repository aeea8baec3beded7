"""The objects that the cluster itself needs: snapshot definitions, drivers, storage classes.

Applied by server-side apply, so it may be done at every start; an object whose kind is not served
yet is tried again until it is.
"""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from appshield.local.cluster.settings import (
    DRIVER,
    PLAIN_DRIVER,
    PLAIN_STORAGE_CLASS,
    STORAGE_CLASS,
    ClusterSettings,
)
from appshield.local.cluster.waiting import until

Object = dict[str, Any]

_PLURALS = {
    "CustomResourceDefinition": "customresourcedefinitions",
    "CSIDriver": "csidrivers",
    "StorageClass": "storageclasses",
    "VolumeSnapshotClass": "volumesnapshotclasses",
}
_TIMEOUT_S = 60.0


def cluster_objects() -> Iterator[Object]:
    """Drivers and classes. Pure."""
    for driver in (DRIVER, PLAIN_DRIVER):
        yield {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": {"name": driver},
            "spec": {"attachRequired": False, "podInfoOnMount": False, "fsGroupPolicy": "File"},
        }
    for name, driver in ((STORAGE_CLASS, DRIVER), (PLAIN_STORAGE_CLASS, PLAIN_DRIVER)):
        default = {"storageclass.kubernetes.io/is-default-class": "true"}
        yield {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name, "annotations": default if name == STORAGE_CLASS else {}},
            "provisioner": driver,
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        }
    yield {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"snapshot.storage.kubernetes.io/is-default-class": "true"},
        },
        "driver": DRIVER,
        "deletionPolicy": "Delete",
    }


def definitions(folder: Path) -> list[Object]:
    """The CustomResourceDefinitions in a folder of YAML files."""
    return [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))]


async def apply_objects(settings: ClusterSettings, objects: list[Object]) -> None:
    """Apply them in order. Raises `TimeoutError` or `aiohttp.ClientError` when it cannot."""
    pki = settings.layout.pki
    trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    trust.load_cert_chain(pki / "storage.crt", pki / "storage.key")
    connector = aiohttp.TCPConnector(ssl=trust)
    async with (
        asyncio.timeout(_TIMEOUT_S),
        aiohttp.ClientSession(settings.addresses.api_url, connector=connector) as session,
    ):
        for document in objects:
            await _apply(session, document)


async def _apply(session: aiohttp.ClientSession, document: Object) -> None:
    plural = _PLURALS[document["kind"]]
    path = f"/apis/{document['apiVersion']}/{plural}/{document['metadata']['name']}"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    wish = {"fieldManager": "appshield-local", "force": "true"}
    body = yaml.safe_dump(document)

    async def applied() -> bool:
        async with session.patch(path, data=body, headers=headers, params=wish) as answer:
            if answer.status == 404:
                return False
            answer.raise_for_status()
            return True

    await until(applied)
