"""Profiles against the real servers, under write load: what comes back is counted.

No document here has a hook of its own: what a component takes from its profile is all that there
is. While the backup runs a client writes one row after the other and notes what was acknowledged.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from appshield.contracts.sources import ManifestsSource
from appshield.kubernetes import Object, PodRef
from appshield.kubernetes.kinds import APPLICATION, POD, SERVICE, STATEFUL_SET
from appshield.local.cluster import STORAGE_CLASS, ClusterFacts
from appshield.local.demo.images import build_images, push_built
from cluster_application import (
    POD_NAME,
    document,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from database_images import (
    MARIADB_SERVER,
    NATS_SERVER,
    NGINX_SERVER,
    POSTGRESQL_SERVER,
    REDIS_SERVER,
    Server,
)
from failures import failed_whole, traces
from installation import Installation
from waiting import wait_until

BUILD_AND_RUN_TIMEOUT_S = 600
WRITTEN_BEFORE = 20
STOP = "/dev/shm/stop"
_ASK = 'redis-cli --no-auth-warning -a "$REDIS_PASSWORD"'
APPENDING = replace(
    REDIS_SERVER,
    arguments=("--dir", "/data", "--save", "", "--appendonly", "yes", "--requirepass", "of a test"),
    environment={"REDIS_PASSWORD": "of a test"},
    ready=REDIS_SERVER.ready.replace("redis-cli", _ASK),
    write=REDIS_SERVER.write.replace("redis-cli", _ASK),
    rows=REDIS_SERVER.rows.replace("redis-cli", _ASK),
    accounts=REDIS_SERVER.accounts.replace("redis-cli", _ASK),
)
"""Redis with a log of its writes, and with a password."""


def workload(server: Server, image: str) -> Object:
    """Describe the server with one volume for its data."""
    probe = {"exec": {"command": ["sh", "-c", server.ready]}, "periodSeconds": 1}
    group = server.recipe.group
    # a used volume keeps its modes: PostgreSQL starts on no folder that its group may write
    identity = {
        "runAsUser": server.recipe.user,
        "runAsGroup": group,
        "fsGroup": group,
        "fsGroupChangePolicy": "OnRootMismatch",
    }
    folders = [(f"scratch-{at}", path) for at, path in enumerate(server.folders)]
    container = {
        "name": "main",
        "image": image,
        "args": list(server.arguments),
        "env": [{"name": name, "value": value} for name, value in server.environment.items()],
        "readinessProbe": {**probe, "timeoutSeconds": 5},
        "volumeMounts": [
            {"name": name, "mountPath": path} for name, path in (("data", server.mount), *folders)
        ],
    }
    pod = {
        "terminationGracePeriodSeconds": 1,
        "securityContext": identity,
        "containers": [container],
        "volumes": [{"name": name, "emptyDir": {}} for name, _ in folders],
    }
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": STORAGE_CLASS,
        "resources": {"requests": {"storage": "512Mi"}},
    }
    labels = {"app": "db"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        },
    }


async def deploy(
    installation: Installation,
    facts: ClusterFacts,
    namespace: str,
    server: Server,
    *,
    type_: str,
    strategy: str = "",
) -> None:
    """Run the server and describe it by its type alone."""
    cache = installation.home.cache / "images"
    await build_images([server.recipe], cache=cache, report=lambda _: None)
    (tag,) = server.recipe.tags
    image = await push_built(server.recipe, tag, facts.registry, cache=cache)
    service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}}
    service["spec"] = {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 80}]}
    cluster = installation.cluster
    await cluster.create(SERVICE, service, namespace=namespace)
    await cluster.create(STATEFUL_SET, workload(server, image), namespace=namespace)
    part: Object = {"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}
    if strategy:
        part["strategy"] = strategy
    await cluster.create(APPLICATION, document(namespace, type=type_, components=[part]))
    await until_running(installation, namespace)
    await run_in(installation, namespace, server.prepare)


@asynccontextmanager
async def writing(
    installation: Installation, namespace: str, server: Server
) -> AsyncIterator[list[int]]:
    """Write rows for the time of the block; give the numbers that were acknowledged so far."""
    acknowledged: list[int] = []
    rest = b""

    async def note(piece: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + piece).split(b"\n")
        acknowledged.extend(int(line) for line in lines)

    loop = f"n=1; while [ ! -e {STOP} ]; do {server.write} && echo $n && n=$((n+1)); done"
    client = asyncio.create_task(
        installation.cluster.execute(
            PodRef(namespace, POD_NAME, "main"), ["sh", "-c", loop], stdout=note, timeout_s=300
        )
    )
    try:
        await wait_until(
            lambda: len(acknowledged) >= WRITTEN_BEFORE, deadline_s=60, what="rows written"
        )
        yield acknowledged
    finally:
        with suppress(AssertionError):
            await run_in(installation, namespace, f"touch {STOP}")
        await client


@pytest.mark.timeout(BUILD_AND_RUN_TIMEOUT_S)
@pytest.mark.parametrize(
    ("type_", "server", "strategy"),
    [
        ("database/postgresql", POSTGRESQL_SERVER, "snapshot"),
        ("database/postgresql", POSTGRESQL_SERVER, "dump"),
        ("cache/redis", REDIS_SERVER, "snapshot"),
        ("cache/redis", APPENDING, "snapshot"),
        ("database/mariadb", MARIADB_SERVER, "snapshot"),
        ("database/mariadb", MARIADB_SERVER, "dump"),
        ("queue/nats", NATS_SERVER, "snapshot"),
        ("web", NGINX_SERVER, "snapshot"),
    ],
    ids=[
        "postgresql",
        "postgresql dump",
        "redis",
        "redis with a log",
        "mariadb",
        "mariadb dump",
        "nats",
        "web",
    ],
)
async def test_all_that_was_acknowledged_before_the_backup_comes_back(
    installation: Installation,
    local_cluster: ClusterFacts,
    type_: str,
    server: Server,
    strategy: str,
) -> None:
    """Rows are an unbroken prefix of what was written, and the accounts are the same."""
    async with (
        namespace_of_its_own(installation, "profile") as namespace,
        namespace_of_its_own(installation, "profile-copy") as other,
    ):
        await deploy(installation, local_cluster, namespace, server, type_=type_, strategy=strategy)
        app = installation.app(namespace)
        async with writing(installation, namespace, server) as acknowledged:
            before = len(acknowledged)
            run = await installation.back_up(app)
            assert (run.state, run.failure) == ("succeeded", None)
            await wait_until(
                lambda: len(acknowledged) > before, deadline_s=60, what="rows written afterwards"
            )
        assert run.backup
        assert run.backup.taken
        assert run.backup.taken.consistency == server.consistency
        accounts = await run_in(installation, namespace, server.accounts)

        restored = await installation.restore(app, 1, to=other)
        assert (restored.state, restored.failure) == ("succeeded", None)
        await until_running(installation, other)
        rows = [int(line) for line in (await run_in(installation, other, server.rows)).split()]
        assert rows == list(range(1, len(rows) + 1))
        assert before <= len(rows) <= len(acknowledged) + 1
        assert await run_in(installation, other, server.accounts) == accounts
        assert await nothing_left_behind(installation, other)
    assert traces(installation) == []


@pytest.mark.timeout(BUILD_AND_RUN_TIMEOUT_S)
async def test_of_a_stateless_application_everything_but_volumes_comes_back(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """While it is written to: it serves again, with an empty volume."""
    server = NGINX_SERVER
    async with (
        namespace_of_its_own(installation, "profile") as namespace,
        namespace_of_its_own(installation, "profile-copy") as other,
    ):
        await deploy(installation, local_cluster, namespace, server, type_="stateless")
        app = installation.app(namespace)
        async with writing(installation, namespace, server):
            run = await installation.back_up(app)
        assert (run.state, run.failure) == ("succeeded", None)
        assert run.backup
        assert run.backup.taken
        assert all(isinstance(one, ManifestsSource) for one in run.backup.taken.sources)

        restored = await installation.restore(app, 1, to=other)
        assert (restored.state, restored.failure) == ("succeeded", None)
        await until_running(installation, other)
        assert await image_of(installation, other) == await image_of(installation, namespace)
        assert await run_in(installation, other, "ls -A /data/files || true") == ""
        await run_in(installation, other, "n=1; " + server.write)
        assert await nothing_left_behind(installation, other)
    assert traces(installation) == []


async def image_of(installation: Installation, namespace: str) -> str:
    """Name the image that runs, by its digest."""
    pod = await installation.cluster.get(POD, POD_NAME, namespace)
    assert pod is not None
    return str(pod["status"]["containerStatuses"][0]["imageID"])


@pytest.mark.timeout(BUILD_AND_RUN_TIMEOUT_S)
async def test_what_postgresql_keeps_outside_of_its_volume_is_refused(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """A tablespace in scratch space: the volume is one, and does not hold all of the data."""
    server = POSTGRESQL_SERVER
    async with namespace_of_its_own(installation, "tablespace") as namespace:
        await deploy(
            installation,
            local_cluster,
            namespace,
            server,
            type_="database/postgresql",
            strategy="snapshot",
        )
        (folder,) = server.folders
        await run_in(
            installation,
            namespace,
            f'mkdir {folder}/t && psql -X -q -d postgres -c "create tablespace t location'
            f" '{folder}/t'\"",
        )
        run = await installation.back_up(installation.app(namespace))
        await failed_whole(
            installation,
            run,
            told=("the quiesce hook of component db", "is on another disk than the data"),
        )
