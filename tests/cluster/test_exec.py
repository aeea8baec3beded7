"""Exec through a real kubelet: all bytes, both ways, or an error."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator

import pytest

from appshield.errors import DamagedError, DeadlineError, InvalidInputError, NotFoundError
from appshield.kubernetes import Cluster, ClusterAccess, Object, PodRef, kinds, ready
from appshield.local.cluster import ClusterFacts
from kubernetes_api import namespace_in

SIZE_BYTES = 20 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
USERS = ["root", "nobody"]


@pytest.fixture
async def cluster(local_cluster: ClusterFacts) -> AsyncIterator[Cluster]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as connected:
        yield connected


@pytest.fixture(params=USERS)
async def pod(
    request: pytest.FixtureRequest, cluster: Cluster, local_cluster: ClusterFacts
) -> AsyncIterator[PodRef]:
    async with namespace_in(cluster) as namespace:
        body = shell_pod(local_cluster.busybox_image, user=0 if request.param == "root" else 65534)
        await wait_for_account(cluster, namespace)
        await cluster.create(kinds.POD, body, namespace=namespace)
        await cluster.wait_for(
            kinds.POD,
            "shell",
            namespace,
            lambda obj: obj is not None and ready(obj).state == "ready",
            timeout_s=60,
            what="ready",
        )
        yield PodRef(namespace, "shell", "main")


async def wait_for_account(cluster: Cluster, namespace: str) -> None:
    """Pods are admitted once their namespace has its account."""
    await cluster.wait_for(
        kinds.SERVICE_ACCOUNT, "default", namespace, bool, timeout_s=30, what="there"
    )


def shell_pod(image: str, *, user: int) -> Object:
    scratch = [{"name": "scratch", "mountPath": "/tmp"}]
    container = {
        "name": "main",
        "image": image,
        "command": ["sleep", "3600"],
        "volumeMounts": scratch,
    }
    security = {"runAsUser": user}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shell"},
        "spec": {
            "containers": [container],
            "securityContext": security,
            "volumes": [{"name": "scratch", "emptyDir": {}}],
            "terminationGracePeriodSeconds": 0,
        },
    }


def random_pieces() -> list[bytes]:
    return [os.urandom(PIECE_BYTES) for _ in range(SIZE_BYTES // PIECE_BYTES)]


async def stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def digest(pieces: list[bytes]) -> str:
    return hashlib.sha256(b"".join(pieces)).hexdigest()


async def test_twenty_mebibytes_arrive_and_come_back(cluster: Cluster, pod: PodRef) -> None:
    """Binary input is stored whole, then read back whole; the container's own digest agrees."""
    pieces = random_pieces()
    stored = await cluster.execute(
        pod,
        ["sh", "-c", "cat > /tmp/data; sha256sum < /tmp/data >&2"],
        stdin=stream(pieces),
        timeout_s=60,
    )
    assert (stored.exit_code, stored.stdin_bytes) == (0, SIZE_BYTES)
    assert stored.stderr_tail.split()[0] == digest(pieces)
    back: list[bytes] = []

    async def keep(data: bytes) -> None:
        back.append(data)

    read = await cluster.execute(pod, ["cat", "/tmp/data"], stdout=keep, timeout_s=60)
    assert (read.exit_code, read.stdout_bytes) == (0, SIZE_BYTES)
    assert digest(back) == digest(pieces)


async def test_both_directions_at_once(cluster: Cluster, pod: PodRef) -> None:
    """Bytes go through a filter and come back as they went."""
    pieces = random_pieces()
    back: list[bytes] = []

    async def keep(data: bytes) -> None:
        back.append(data)

    outcome = await cluster.execute(pod, ["cat"], stdin=stream(pieces), stdout=keep, timeout_s=60)
    assert outcome.exit_code == 0
    assert digest(back) == digest(pieces)


@pytest.mark.parametrize("counted", [True, False])
async def test_a_command_that_closes_its_output_keeps_its_input(
    cluster: Cluster, pod: PodRef, counted: bool
) -> None:
    """The runtime closes stdin with stdout; the wrapper keeps that from happening."""
    pieces = random_pieces()
    command = ["sh", "-c", "exec >/tmp/data 2>/dev/null cat"]
    outcome = await cluster.execute(
        pod, command, stdin=stream(pieces), timeout_s=60, count_received=counted
    )
    assert outcome.exit_code == 0
    size: list[bytes] = []

    async def keep(data: bytes) -> None:
        size.append(data)

    await cluster.execute(pod, ["sh", "-c", "wc -c < /tmp/data"], stdout=keep, timeout_s=30)
    assert int(b"".join(size)) == SIZE_BYTES


async def test_unread_input_is_noticed_and_nothing_hangs(cluster: Cluster, pod: PodRef) -> None:
    """A command that leaves megabytes behind ends, and its success is not believed."""
    pieces = random_pieces()
    with pytest.raises(DamagedError, match="exec lost bytes"):
        await cluster.execute(pod, ["head", "-c", "10"], stdin=stream(pieces), timeout_s=60)
    outcome = await cluster.execute(
        pod, ["head", "-c", "10"], stdin=stream(pieces), timeout_s=60, count_received=False
    )
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, 10)


async def test_empty_input_has_an_end(cluster: Cluster, pod: PodRef) -> None:
    """Half-close reaches the command even when nothing was sent."""
    outcome = await cluster.execute(pod, ["cat"], stdin=stream([]), timeout_s=30)
    assert (outcome.exit_code, outcome.stdin_bytes, outcome.stdout_bytes) == (0, 0, 0)


async def test_the_exit_code_comes_back(cluster: Cluster, pod: PodRef) -> None:
    """With and without streams, failure is the command's own."""
    failing = ["sh", "-c", "echo no room >&2; exit 7"]
    plain = await cluster.execute(pod, failing, timeout_s=30)
    assert (plain.exit_code, plain.stderr_tail) == (7, "no room\n")
    fed = await cluster.execute(pod, failing, stdin=stream(random_pieces()), timeout_s=60)
    assert (fed.exit_code, fed.stderr_tail) == (7, "no room\n")


async def test_what_cannot_be_run_is_named(cluster: Cluster, pod: PodRef) -> None:
    """A missing program, container or pod is told apart."""
    with pytest.raises(InvalidInputError, match="the image has no such program"):
        await cluster.execute(pod, ["no-such-program"], timeout_s=30)
    with pytest.raises(InvalidInputError, match="no such container"):
        await cluster.execute(PodRef(pod.namespace, "shell", "other"), ["true"], timeout_s=30)
    with pytest.raises(NotFoundError, match="there is no container main of pod none"):
        await cluster.execute(PodRef(pod.namespace, "none", "main"), ["true"], timeout_s=30)


async def test_a_hanging_command_meets_its_deadline(cluster: Cluster, pod: PodRef) -> None:
    """Nothing waits for ever."""
    with pytest.raises(DeadlineError, match="did not end within 1 s"):
        await cluster.execute(pod, ["sleep", "60"], timeout_s=1)


async def test_several_commands_run_beside_each_other(cluster: Cluster, pod: PodRef) -> None:
    """One connection to the API server per command, no mixing of streams."""

    async def echo(word: str) -> bytes:
        got: list[bytes] = []

        async def keep(data: bytes) -> None:
            got.append(data)

        given = stream([word.encode()])
        await cluster.execute(pod, ["cat"], stdin=given, stdout=keep, timeout_s=30)
        return b"".join(got)

    words = [f"word-{number}" for number in range(8)]
    assert await asyncio.gather(*map(echo, words)) == [word.encode() for word in words]
