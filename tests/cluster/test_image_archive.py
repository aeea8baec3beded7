"""Images kept with a version: gone from registry and node, they come back and run as before."""

import asyncio
import base64
import hashlib
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from appshield.capture import CapturedApplication
from appshield.capture.layout import files_of, image_source
from appshield.contracts.restores import ImagesPushed, PushImages
from appshield.contracts.sources import ImageSource
from appshield.errors import RunFailedError
from appshield.kubernetes.kinds import POD
from appshield.local.cluster import ClusterFacts
from appshield.local.cluster.images import Image, push_image
from appshield.local.embedded.process import free_port
from appshield.objectstore import MemoryObjectStore
from appshield.registry import (
    ImageDocument,
    ImageReference,
    Registry,
    RegistryCredentials,
    RegistryHost,
    RegistryHosts,
    blobs_of,
)
from appshield.repository import Reader, Repository, RepositoryLock, Writer
from appshield.repository.files import store_documents
from appshield.restorer.pushing import Pushing
from appshield.uploader.archiving import store_image
from cluster_application import POD_NAME, deploy, namespace_of_its_own, remove_namespace, run_in
from command_line import CommandLine, Said
from installation import Installation
from repository_content import SWIFT, directory_node
from restore_orders import order, published
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)

USER, PASSWORD = "somebody", "pass word"
PASSWORD_HASH = "$2y$05$abcdefghijklmnopqrstuuIt/9/tGzLcigNq/.RWIDjeEVR30RSf."


def well(said: Said) -> str:
    assert said.code == 0, said.err
    return said.out


def registry_of(facts: ClusterFacts) -> Registry:
    """The cluster's registry, found as its node finds it."""
    return Registry(RegistryHosts(facts.registry_hosts).of(facts.registry, "push")[-1])


def image_of_its_own(facts: ClusterFacts) -> Image:
    """Make an image like the cluster's shell, with a digest that nothing else has."""
    reference = ImageReference.of(facts.busybox_image)
    registry = registry_of(facts)
    plain = registry.document(reference.repository, reference.digest)
    config_of, layer_of = blobs_of(plain.content)
    contents = []
    for blob in (config_of, layer_of):
        with registry.blob(reference.repository, blob.digest) as read:
            contents.append(b"".join(iter(partial(read, 1 << 20), b"")))
    config = json.loads(contents[0])
    config["config"]["Env"] = [*(config["config"].get("Env") or []), f"ONLY={uuid4()}"]
    encoded = json.dumps(config).encode()
    manifest = json.loads(plain.content)
    manifest["config"] |= {"digest": sha256(encoded), "size": len(encoded)}
    name = f"test/{uuid4().hex[:8]}"
    return Image(name, "1", encoded, contents[1], json.dumps(manifest).encode())


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def image_id(installation: Installation, namespace: str) -> str:
    pod = await installation.cluster.get(POD, POD_NAME, namespace)
    assert pod is not None
    [status] = pod["status"]["containerStatuses"]
    return str(status["imageID"])


async def forget_everywhere(facts: ClusterFacts, image: Image) -> None:
    """Delete an image from the registry, and from the node with its content."""
    base = f"http://{facts.registry}/v2/{image.name}"
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        async with session.delete(f"{base}/manifests/{image.digest}"):
            pass
        async with session.delete(f"{base}/blobs/{sha256(image.config)}"):
            pass
    ctr = ("ctr", "-a", str(facts.containerd_socket), "-n", "k8s.io")

    async def output(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *ctr, *arguments, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out.decode()

    async def gone() -> bool:
        names = (await output("images", "ls", "-q")).split()
        ours = [name for name in names if image.name in name or sha256(image.config) in name]
        if ours:
            await output("images", "rm", "--sync", *ours)
        return not ours and image.digest not in await output("content", "ls", "-q")

    await wait_until(gone, deadline_s=60, what="the image gone from the node", every_s=0.5)


async def test_an_archived_image_runs_again_when_registry_and_node_have_lost_it(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """By the same digest; it is kept as a layout that other tools read, and is stored once."""
    appshield = CommandLine(installation.home.folder)
    image = await asyncio.to_thread(image_of_its_own, local_cluster)
    named = await push_image(image, local_cluster.registry)
    async with namespace_of_its_own(installation, "images") as namespace:
        app = f"{namespace}/app"
        await deploy(installation, namespace, named, spec={"images": "archive"})
        await installation.known(installation.app(namespace))
        before = await image_id(installation, namespace)
        assert before.endswith(image.digest)
        folder = f"images/{image.digest.replace(':', '-')}"
        for number in (1, 2):
            run = await installation.back_up(installation.app(namespace))
            assert (run.state, run.failure) == ("succeeded", None)
            assert run.backup is not None
            [stored] = [one for one in run.backup.stored if one.kind == "image"]
            assert stored.name == folder
            assert (stored.bytes_read > len(image.layer)) == (number == 1)

        archive = tmp_path / "image.tar"
        well(await appshield("dump", app, "2", folder, "-o", str(archive)))
        with tarfile.open(archive) as layout:
            index = layout.extractfile("index.json")
            assert index is not None
            [entry] = json.load(index)["manifests"]
            assert entry["digest"] == image.digest
            names = layout.getnames()
        for blob in (image.manifest, image.config, image.layer):
            assert f"blobs/{sha256(blob).replace(':', '/')}" in names

        await remove_namespace(installation, namespace)
        await forget_everywhere(local_cluster, image)
        registry = registry_of(local_cluster)
        assert not await asyncio.to_thread(registry.has, image.name, "manifests", image.digest)

        told = well(await appshield("restore", app, "2", "--wait"))
        assert "1 images were brought back" in told
        assert await image_id(installation, namespace) == before
        assert (await run_in(installation, namespace, "echo $ONLY")).strip()


async def test_an_image_that_cannot_be_pulled_makes_no_version_and_says_why(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The node has it still, the registry does not: a version could not keep its promise."""
    image = await asyncio.to_thread(image_of_its_own, local_cluster)
    named = await push_image(image, local_cluster.registry)
    async with namespace_of_its_own(installation, "unpulled") as namespace:
        await deploy(installation, namespace, named, spec={"images": "archive"})
        url = f"http://{local_cluster.registry}/v2/{image.name}/manifests/{image.digest}"
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.delete(url):
            pass
        run = await installation.back_up(installation.app(namespace))
        assert run.state == "failed"
        assert f"image {named} cannot be archived" in str(run.failure)
        assert f"GET {url}: 404" in str(run.failure)
        assert "say `images: pin`" in str(run.failure)


@asynccontextmanager
async def registry_with_password(folder: Path) -> AsyncIterator[str]:
    """Run a registry of its own that lets one user in; gives its name."""
    host = f"127.0.0.1:{free_port()}"
    users = folder / "users"
    users.write_text(f"{USER}:{PASSWORD_HASH}\n")
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": host},
        "auth": {"htpasswd": {"realm": "tests", "path": str(users)}},
    }
    (folder / "registry.yaml").write_text(json.dumps(settings))
    process = await asyncio.create_subprocess_exec(
        "docker-registry",
        "serve",
        folder / "registry.yaml",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection(*host.split(":"))
        except OSError:
            return False
        writer.close()
        return True

    try:
        await wait_until(answers, deadline_s=30, what="the registry up")
        yield host
    finally:
        process.terminate()
        await process.wait()


class Version:
    """A version in memory with one archived image, and what a restorer asks for it."""

    def __init__(self, image: str, facts: ClusterFacts, password: str, host: str) -> None:
        entry = base64.b64encode(f"{USER}:{password}".encode()).decode()
        auths = json.dumps({"auths": {host: {"auth": entry}}}).encode()
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "pull", "namespace": "shop"},
            "data": {".dockerconfigjson": base64.b64encode(auths).decode()},
        }
        application = CapturedApplication(
            namespace="shop", name="shop", uid="u", revision="r", document={}, objects=(secret,)
        )
        self.repository = Repository.create(MemoryObjectStore(), "a password")
        source = ImageSource(
            name=image_source(image.partition("@")[2]),
            image=image,
            platform="linux/amd64",
            staged_sha256="",
        )
        with RepositoryLock.acquire(self.repository, owner="test", timing=SWIFT) as lock:
            held: Any = SimpleNamespace(repository=self.repository, lock=lock)
            self.held = held
            hosts = RegistryHosts(facts.registry_hosts)
            stored = store_image(held, source, application, hosts, lambda *_: None)
            with Writer(self.repository, lock) as writer:
                root = store_documents(files_of(application), writer, mtime_ns=0)
            with Writer(self.repository, lock) as writer:
                images = directory_node(b"images", bytes.fromhex(stored.tree))
                tree = writer.add_tree([*Reader(self.repository).read_tree(root), images])
            snapshot_id = published(self.repository, tree, lock)
        self.order = order(PushImages, "push", snapshot_id, images=(image,), registry=host)

    @asynccontextmanager
    async def held_by(self, *_: str) -> AsyncIterator[Any]:
        yield self.held

    async def push(self, facts: ClusterFacts) -> ImagesPushed:
        custody: Any = SimpleNamespace(held=self.held_by)
        pushing = Pushing(custody=custody, hosts=RegistryHosts(facts.registry_hosts))
        context: Any = SimpleNamespace(ensure_wanted=_nothing, progress=lambda *_: None)
        return await pushing.push(self.order, context)


async def _nothing() -> None:
    return


async def test_the_platform_that_ran_goes_to_another_registry_under_its_own_digest(
    local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """A registry takes no index of which a platform is missing; the password is the right one's."""
    image = await asyncio.to_thread(image_of_its_own, local_cluster)
    other = await asyncio.to_thread(image_of_its_own, local_cluster)
    for one in (image, replace(other, name=image.name)):
        await push_image(one, local_cluster.registry)
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifests = [
        {
            "mediaType": kind,
            "digest": one.digest,
            "size": len(one.manifest),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for one, architecture in ((other, "arm64"), (image, "amd64"))
    ]
    media_type = "application/vnd.oci.image.index.v1+json"
    index = json.dumps(
        {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}
    ).encode()
    registry = registry_of(local_cluster)
    await asyncio.to_thread(
        registry.put_document, image.name, sha256(index), ImageDocument(media_type, index)
    )
    named = f"{local_cluster.registry}/{image.name}@{sha256(index)}"

    async with registry_with_password(tmp_path) as host:
        refused = await asyncio.to_thread(Version, named, local_cluster, "wrong", host)
        with pytest.raises(RunFailedError, match="does not allow it") as raised:
            await refused.push(local_cluster)
        assert "wrong" not in str(raised.value)
        version = await asyncio.to_thread(Version, named, local_cluster, PASSWORD, host)
        done = await version.push(local_cluster)
        [placement] = done.placements
        assert placement.placed == f"{host}/{image.name}@{image.digest}"
        assert done.bytes_pushed == len(image.config) + len(image.layer)
        again = await version.push(local_cluster)
        assert (again.placements, again.pushed, again.bytes_pushed) == ((placement,), 0, 0)
        to = Registry(RegistryHost(f"http://{host}"), RegistryCredentials(USER, PASSWORD))
        found = await asyncio.to_thread(to.document, image.name, image.digest)
        assert found.content == image.manifest
