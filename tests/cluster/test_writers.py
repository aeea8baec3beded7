"""Who wrote or deleted a document with kubectl's means is on record, and nobody is for others.

Accounts of the real cluster write with tokens of their own; only the API server knows who they are.
"""

import asyncio
import re
import ssl
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.audit import lines_of, read_entry
from appshield.contracts.audit import AuditEvent
from appshield.kubernetes import Cluster, ClusterAccess, Object
from appshield.kubernetes.kinds import APPLICATION, MUTATING_WEBHOOK_CONFIGURATION
from appshield.language.writers import UNKNOWN_WRITER, WRITTEN_BY, writer_of
from appshield.local.cluster import ClusterFacts
from appshield.watcher.gate_webhooks import REQUESTER_CONFIGURATION
from cluster_application import namespace_of_its_own
from installation import Installation
from rights import account_in, kubeconfig, token_of
from waiting import wait_until

pytestmark = pytest.mark.timeout(180)


class Place:
    """A namespace with two people, and what the audit says of it."""

    def __init__(self, installation: Installation, namespace: str, people: list[Cluster]) -> None:
        self.installation = installation
        self.namespace = namespace
        self.ann, self.bob = people

    def person(self, name: str) -> str:
        """Say how the API server knows somebody."""
        return f"system:serviceaccount:{self.namespace}:{name}"

    async def write(self, who: Cluster, **spec: object) -> Object:
        """Write the document as kubectl does."""
        document: Object = {
            "apiVersion": APPLICATION.api_version,
            "kind": APPLICATION.kind,
            "metadata": {"name": "shop", "namespace": self.namespace},
            "spec": {"resources": {"follow": False}, **spec},
        }
        return await who.apply(APPLICATION, document)

    async def on_record(self, *, action: str, outcome: str, cause: str = "") -> AuditEvent:
        """Wait until the audit tells this of the document; give it."""

        async def look() -> AuditEvent | None:
            async for line in lines_of(self.installation.bus):
                event = read_entry(line).event
                told = (event.action, event.outcome, event.cause, event.object)
                if told == (action, outcome, cause, f"Application {self.namespace}/shop"):
                    return event
            return None

        return await wait_until(look, deadline_s=60, what=f"the audit about {action} {cause}")


@pytest.fixture
async def place(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> AsyncIterator[Place]:
    async with namespace_of_its_own(installation, "writers") as namespace:
        files = []
        for name in ("ann", "bob"):
            await account_in(installation.cluster, namespace, name, role="admin")
            token = await token_of(installation.cluster, namespace, name)
            files.append(kubeconfig(local_cluster.kubeconfig, tmp_path / name, token=token))
        async with (
            Cluster.connect(ClusterAccess(kubeconfig=str(files[0]))) as ann,
            Cluster.connect(ClusterAccess(kubeconfig=str(files[1]))) as bob,
        ):
            made = Place(installation, namespace, [ann, bob])

            async def asked() -> bool:
                tried: Object = {
                    "apiVersion": APPLICATION.api_version,
                    "kind": APPLICATION.kind,
                    "metadata": {"name": "tried"},
                    "spec": {},
                }
                admin = installation.cluster
                found = await admin.create(APPLICATION, tried, namespace=namespace, dry_run=True)
                return WRITTEN_BY in (found["metadata"].get("annotations") or {})

            await wait_until(asked, deadline_s=60, what="the gateway is asked who writes")
            yield made


async def test_who_wrote_and_who_deleted_a_document_is_on_record(place: Place) -> None:
    """Each change with the name of who made it, and a deletion with that and with its end."""
    await place.write(place.ann)
    told = await place.on_record(action="write-document", outcome="succeeded", cause="generation 1")
    assert (told.actor, told.door, told.teller) == (place.person("ann"), "object", "watcher")
    assert told.app.name == "shop"
    label: Object = {"metadata": {"labels": {"team": "sales"}}}
    labelled = await place.bob.merge_patch(APPLICATION, "shop", label, namespace=place.namespace)
    assert writer_of(labelled) == place.person("ann"), "a label is no other document"
    await place.write(place.bob, criticality="gold")
    told = await place.on_record(action="write-document", outcome="succeeded", cause="generation 2")
    assert told.actor == place.person("bob")
    await place.ann.delete(APPLICATION, "shop", namespace=place.namespace)
    gone = await place.on_record(action="delete-document", outcome="succeeded")
    begun = await place.on_record(action="delete-document", outcome="begun")
    assert (begun.actor, begun.teller) == (place.person("ann"), "gate")
    assert begun.request_id == gone.request_id != ""


async def test_what_is_written_while_nobody_is_asked_names_nobody(place: Place) -> None:
    """Never the one who wrote the document before."""
    await place.write(place.ann)
    admin = place.installation.cluster
    installed = await admin.get(MUTATING_WEBHOOK_CONFIGURATION, REQUESTER_CONFIGURATION)
    assert installed is not None

    async def written_unasked() -> bool:
        await admin.delete(MUTATING_WEBHOOK_CONFIGURATION, REQUESTER_CONFIGURATION)
        stored = await place.write(place.bob, type=f"web-{uuid.uuid4().hex[:8]}")
        return writer_of(stored) == UNKNOWN_WRITER

    await wait_until(written_unasked, deadline_s=60, what="a write without the gateway")
    found = await admin.get(APPLICATION, "shop", place.namespace)
    assert found is not None
    generation = found["metadata"]["generation"]
    told = await place.on_record(
        action="write-document", outcome="succeeded", cause=f"generation {generation}"
    )
    assert told.actor == UNKNOWN_WRITER


async def test_nobody_but_the_api_server_reaches_the_gate(
    place: Place, local_cluster: ClusterFacts
) -> None:
    """The local cluster's shows a certificate of its own; all others are turned away by TLS."""
    cluster = place.installation.cluster
    found = await cluster.get(MUTATING_WEBHOOK_CONFIGURATION, REQUESTER_CONFIGURATION)
    assert found is not None
    url = found["webhooks"][0]["clientConfig"]["url"]
    host, port = re.findall(r"https://([^/]+):(\d+)/", url)[0]
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await _answered(host, int(port), trusting)
    trusting.load_cert_chain(
        local_cluster.webhook_certificate, local_cluster.webhook_certificate.with_suffix(".key")
    )
    assert b"400" in await _answered(host, int(port), trusting)


async def _answered(host: str, port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        request = f"POST /admission HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        said = await reader.readline()
        if not said:
            raise ConnectionResetError("the connection was closed")
        return said
    finally:
        writer.close()
