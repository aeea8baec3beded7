"""A store that is away, full or refuses us: the reason told, no version, and the way back open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appshield.contracts.runs import Run
from appshield.local.cluster import ClusterFacts
from appshield.local.embedded.process import free_port
from appshield.local.up import PRIMARY
from appshield.vault.finding import ClusterVaults
from cluster_application import deploy, is_quiesced, namespace_of_its_own
from failures import failed_whole, kept_by, traces, versions
from installation import Installation
from restic_binary import Restic
from s3_gate import Fails, Gate, full_for, gone, nothing, s3_gate
from s3_impostor import Reply
from vaults import vault_at
from waiting import wait_until


@pytest.fixture
async def gate(installation: Installation) -> AsyncIterator[Gate]:
    access = await ClusterVaults(installation.cluster).access(PRIMARY)
    with s3_gate(access.location.endpoint) as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
async def filling(
    installation: Installation, local_cluster: ClusterFacts, restic: Restic
) -> AsyncIterator[asyncio.Task[None]]:
    """The longest case, which goes on beside the others: AppShield tries for a minute."""
    access = await ClusterVaults(installation.cluster).access(PRIMARY)
    with s3_gate(access.location.endpoint) as opened:
        case = asyncio.create_task(_becomes_full(installation, local_cluster, opened, restic))
        yield case
        case.cancel()
        await asyncio.gather(case, return_exceptions=True)


@asynccontextmanager
async def application_in(
    installation: Installation, facts: ClusterFacts, vault: str
) -> AsyncIterator[str]:
    """Run an application whose versions go into that Vault."""
    async with namespace_of_its_own(installation, "vault") as namespace:
        await deploy(installation, namespace, facts.busybox_image, spec={"targets": [vault]})
        yield namespace


async def test_a_store_that_cannot_be_reached_is_told_with_its_address(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The application is not touched: the repository is opened first."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    async with (
        vault_at(installation, endpoint, purpose="closed") as vault,
        application_in(installation, local_cluster, vault) as namespace,
    ):
        run = await installation.back_up(installation.app(namespace))
        assert run.state == "failed"
        assert str(run.failure) == (
            f"object store {endpoint} cannot be reached: Connection refused. "
            "Check the address and that the service runs"
        )
        await _untouched(installation, run, namespace)


async def test_a_secret_key_that_is_wrong_is_told_without_it(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The access key is named, and what to check; it is not tried again and again."""
    wrong = "planted-wrong-secret-key"
    async with (
        vault_at(installation, "", purpose="denied", secret_key=wrong) as vault,
        application_in(installation, local_cluster, vault) as namespace,
    ):
        run = await installation.back_up(installation.app(namespace))
        assert run.state == "failed"
        assert "denies access to access key" in str(run.failure)
        assert "Check the key, its secret and its rights on the bucket" in str(run.failure)
        assert [step.attempt for step in run.steps] == [1]
        await _untouched(installation, run, namespace)
        logs = [log.read_text() for log in installation.home.logs.glob("*.log")]
        assert [log for log in logs if wrong in log] == []


async def test_a_vault_that_does_not_exist_is_told_by_its_name(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """With the command that makes one."""
    async with application_in(installation, local_cluster, "nowhere") as namespace:
        run = await installation.back_up(installation.app(namespace))
        assert run.state == "failed"
        assert "Vault nowhere does not exist. `appshield vault add` makes one" in str(run.failure)
        await _untouched(installation, run, namespace)


async def test_a_store_that_is_full_from_the_first_is_told(
    installation: Installation, local_cluster: ClusterFacts, gate: Gate
) -> None:
    """Nothing was quiesced for a version that could not be kept."""
    gate.fails = full_for("")
    async with (
        vault_at(installation, gate.endpoint, purpose="full") as vault,
        application_in(installation, local_cluster, vault) as namespace,
    ):
        run = await installation.back_up(installation.app(namespace))
        assert run.state == "failed"
        assert "the store is full" in str(run.failure)
        assert "Free space, or prune" in str(run.failure)
        await _untouched(installation, run, namespace)


@pytest.mark.parametrize("fails", [full_for("/repository/data/"), gone], ids=["full", "gone"])
async def test_a_store_that_fails_for_a_moment_delays_a_version_and_nothing_else(
    installation: Installation,
    local_cluster: ClusterFacts,
    gate: Gate,
    restic: Restic,
    fails: Fails,
) -> None:
    """The same run goes on; the application has long resumed."""
    async with (
        vault_at(installation, gate.endpoint, purpose="flaky") as vault,
        application_in(installation, local_cluster, vault) as namespace,
    ):
        app = installation.app(namespace)
        await installation.known(app)
        gate.fails = _once_data_comes(gate, fails)
        backing_up = asyncio.create_task(installation.back_up(app))
        await wait_until(lambda: gate.refused > 2, deadline_s=90, what="the store failing")
        assert not await is_quiesced(installation, namespace)
        gate.fails = nothing
        run = await backing_up
        assert (run.state, run.failure) == ("succeeded", None)
        await _whole(installation, run, restic)


@pytest.mark.timeout(300)
async def test_a_store_that_becomes_full_in_the_middle_makes_no_version_until_there_is_room(
    filling: asyncio.Task[None],
) -> None:
    """The run gives up and leaves nothing; with room again the next backup is whole."""
    await filling


async def _becomes_full(
    installation: Installation, facts: ClusterFacts, gate: Gate, restic: Restic
) -> None:
    gate.fails = full_for("/repository/data/")
    async with (
        vault_at(installation, gate.endpoint, purpose="filling") as vault,
        application_in(installation, facts, vault) as namespace,
    ):
        app = installation.app(namespace)
        run = await installation.back_up(app)
        await failed_whole(installation, run, told=("the store is full", "Free space, or prune"))
        assert not await is_quiesced(installation, namespace)
        assert gate.refused > 0

        gate.fails = nothing
        again = await installation.back_up(app)
        assert (again.state, again.failure) == ("succeeded", None)
        await _whole(installation, again, restic)


def _once_data_comes(gate: Gate, fails: Fails) -> Fails:
    """Fail from the first pack on, and not while the repository is opened."""

    def wait_for_data(method: str, target: str) -> Reply | None:
        if method == "PUT" and "/repository/data/" in target:
            gate.fails = fails
            return fails(method, target)
        return None

    return wait_for_data


async def _untouched(installation: Installation, run: Run, namespace: str) -> None:
    """The run ended before the application was touched, and there is no version."""
    assert [step.name for step in run.steps] == ["open"]
    assert await versions(installation, run.app_id) == []
    assert not await is_quiesced(installation, namespace)
    assert traces(installation) == []


async def _whole(installation: Installation, run: Run, restic: Restic) -> None:
    """The version is there once, and a stock restic is content with the repository."""
    access = await ClusterVaults(installation.cluster).access(run.vault)
    assert len(await asyncio.to_thread(kept_by, access, run)) == 1
    assert await versions(installation, run.app_id) == [run.version]
    check = ("check", "--read-data", "--retry-lock", "60s")
    await installation.restic(restic, run.app_id, *check, vault=run.vault)
    assert traces(installation) == []
