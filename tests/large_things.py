"""A gateway with more than fits on a screen: applications, objects of one, files in a folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from appshield.contracts.identities import AppRef
from appshield.kubernetes import Object
from appshield.objectstore import S3Credentials, S3Location
from appshield.vault import VaultAccess, new_root_key, open_vault
from bench.rest import fill
from fake_kubernetes import FakeKubernetes
from kept_versions import KeptVersions, Tree
from rest_api import CLUSTER
from seeded_gateway import EVERYTHING, SeededGateway, running_seeded_gateway
from waiting import wait_until

APPLICATIONS = 10_000
OBJECTS = 5_000
FILES = 100_000
LARGE_APP = "large/archive"
_APP = AppRef(cluster=CLUSTER, namespace="large", name="archive")
_APP_ID = "a-0000000000000001a48e"


@asynccontextmanager
async def running_large_gateway(
    website: Path, folder: Path, location: S3Location, credentials: S3Credentials
) -> AsyncIterator[SeededGateway]:
    """Run one for the time of the block, with a bus in the folder and a Vault at the location."""
    access = VaultAccess("primary", location, credentials, new_root_key())
    open_vault(access).initialize()

    async def vaults(_name: str) -> VaultAccess:
        return access

    async with running_seeded_gateway(website, folder, vaults) as gateway:
        await fill(gateway.bus, APPLICATIONS)
        put_objects(gateway.cluster)
        many: Tree = {b"file-%06d" % number: b"" for number in range(FILES)}
        kept = KeptVersions(gateway.bus, access, _APP, _APP_ID)
        await kept.keep(1, {b"volumes": {b"data": {b"many": many}}})
        await wait_until(
            lambda: _knows_all(gateway.url), deadline_s=300, what="the gateway knows all", every_s=1
        )
        yield gateway


async def _knows_all(url: str) -> bool:
    cookies = {f"appshield-session-{url.rpartition(':')[2]}": EVERYTHING}
    async with (
        aiohttp.ClientSession(cookies=cookies) as session,
        session.get(f"{url}/api/v1/applications", params={"limit": "1"}) as answer,
    ):
        total = (await answer.json())["total"]
    return bool(total > APPLICATIONS)


def put_objects(fake: FakeKubernetes) -> None:
    """Put an application whose namespace holds so many objects."""
    fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _APP.namespace}})
    fake.put(_object("appshield.io/v1alpha1", "Application", _APP.name, spec={"type": "web"}))
    for number in range(OBJECTS):
        fake.put(_object("v1", "ConfigMap", f"settings-{number:05}", data={}))


def _object(api_version: str, kind: str, name: str, **content: object) -> Object:
    metadata = {"name": name, "namespace": _APP.namespace, "uid": f"{kind}-{name}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
