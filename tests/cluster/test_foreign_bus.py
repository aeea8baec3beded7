"""`APPSHIELD_NATS_URL`: AppShield on a NATS server of somebody else, with users they made."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from appshield.bus import BusAccess, connect_bus
from appshield.bus.keys import new_seed, public_key
from appshield.contracts.permissions import users_of
from appshield.contracts.requests import RequestBackup
from appshield.contracts.runs import Run
from appshield.errors import DeniedError, UnavailableError
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.local.cluster import ClusterFacts
from appshield.local.connection import read_connection
from appshield.local.embedded.bus_configuration import server_configuration
from appshield.local.embedded.process import OwnedProcess, free_port, program
from cluster_application import (
    deploy,
    is_quiesced,
    namespace_of_its_own,
    nothing_left_behind,
)
from command_line import CommandLine
from failures import traces
from installation import Installation, installed
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Foreign:
    """A server that AppShield did not start."""

    url: str
    users: Path


@pytest.fixture
async def foreign(local_cluster: ClusterFacts, tmp_path: Path) -> AsyncIterator[Foreign]:
    """A NATS server with the users and permissions of the contracts, and a folder of their keys."""
    port, users = free_port(), tmp_path / "users"
    users.mkdir(mode=0o700)
    keys = []
    for user in users_of(await _uid(local_cluster), local_cluster.node_name):
        seed = new_seed()
        (users / f"{user.name}.nk").write_text(seed)
        keys.append((user, public_key(seed)))
    configuration = server_configuration(
        name="foreign", port=port, store=tmp_path / "data", users=keys
    )
    file = tmp_path / "foreign.conf"
    file.write_bytes(msgspec.json.encode(configuration))
    server = OwnedProcess(
        "a foreign NATS",
        [str(program("nats-server")), "--config", str(file)],
        log_file=tmp_path / "foreign.log",
    )
    await server.start()
    found = Foreign(f"nats://127.0.0.1:{port}", users)
    try:
        await wait_until(lambda: answers(found), deadline_s=20, what="the foreign NATS answers")
        yield found
    finally:
        await server.stop(10)


async def _uid(facts: ClusterFacts) -> str:
    async with Cluster.connect(ClusterAccess(kubeconfig=str(facts.kubeconfig))) as cluster:
        return await cluster.uid()


async def answers(foreign: Foreign) -> bool:
    """Tell whether a user of it can connect."""
    access = BusAccess(
        url=foreign.url, user="installer", seed_file=str(foreign.users / "installer.nk")
    )
    try:
        async with connect_bus(access, name="tests", deadline_s=1):
            return True
    except UnavailableError:
        return False


async def test_up_uses_the_bus_that_is_named_with_the_keys_that_are_given(
    installation: Installation, foreign: Foreign, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """It starts none of its own; streams, services and command line meet on the foreign one.

    Its Vault is the one that the session's installation has put into the cluster. Its services are
    one process, as they are by default; killed in the middle of a backup it comes back and ends it.
    """
    async with (
        installed(
            local_cluster,
            tmp_path / "home",
            store="none",
            nats_url=foreign.url,
            nats_users=str(foreign.users),
            separate=False,
        ) as running,
        namespace_of_its_own(running, "foreign") as namespace,
    ):
        assert not running.home.bus.exists()
        assert read_connection(running.home).nats_url == foreign.url
        await deploy(running, namespace, local_cluster.busybox_image)
        run = await running.back_up(running.app(namespace))
        assert (run.state, run.failure) == ("succeeded", None)
        told = await CommandLine(running.home.folder)("versions", f"{namespace}/app", "-o", "json")
        assert [one["facts"]["run"] for one in told.json()] == [run.id]
        elsewhere = CommandLine(
            tmp_path / "elsewhere",
            APPSHIELD_NATS_URL=foreign.url,
            APPSHIELD_NATS_SEED_FILE=str(foreign.users / "person.nk"),
        )
        assert (await elsewhere("versions", f"{namespace}/app", "-o", "json")).json() == told.json()
        killed = await running.ask(
            RequestBackup(app=running.app(namespace), request_id=str(uuid4()))
        )
        await running.reached(killed, _under_way, "a step")
        await running.kill("services")
        run = await running.ended(killed)
        assert (run.state, run.failure) == ("succeeded", None)
        assert not await is_quiesced(running, namespace)
        assert await nothing_left_behind(running, namespace, killed)
        told = await CommandLine(running.home.folder)("versions", f"{namespace}/app", "-o", "json")
        assert sorted(one["facts"]["number"] for one in told.json()) == [1, 2]
        assert traces(running) == []


def _under_way(run: Run) -> bool:
    return any(step.state == "running" for step in run.steps)


async def test_up_with_a_key_that_the_bus_does_not_know_says_which_user(
    foreign: Foreign, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """One error, before any service is started."""
    file = foreign.users / "installer.nk"
    file.write_text(new_seed())
    with pytest.raises(DeniedError, match="does not know the key of user installer") as told:
        async with installed(
            local_cluster,
            tmp_path / "home",
            store="none",
            nats_url=foreign.url,
            nats_users=str(foreign.users),
        ):
            raise AssertionError("it came up")
    assert str(file) in str(told.value)
    logs = {file.name for file in (tmp_path / "home" / "logs").iterdir()}
    assert logs <= {"services.log"}, "only what forks the services was started"
