"""A service that cannot run says why in one sentence, with the thing, the cause, the next step."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from appshield.application.reading import read_application
from appshield.bus.keys import new_seed
from appshield.errors import DeniedError
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.local.cluster import ClusterFacts
from appshield.local.connection import read_connection
from appshield.local.embedded.process import free_port
from cluster_application import namespace_of_its_own
from installation import Installation
from nats_greeting import greeting
from rights import kubeconfig, kubeconfig_without_rights
from service_process import ended, readiness, started
from waiting import wait_until

WITH_CLUSTER = ("watcher", "snapshotter", "uploader", "restorer")


def settings(installation: Installation, service: str, **others: Any) -> dict[str, Any]:
    """Say how a service joins the installation, but for what a test makes wrong."""
    bus = read_connection(installation.home).bus(service)
    return {
        "nats_url": bus.url,
        "nats_seed_file": bus.seed_file,
        "cluster": installation.cluster_name,
        **others,
    }


@pytest.mark.parametrize("service", WITH_CLUSTER)
async def test_a_kubeconfig_that_is_not_there_is_named(
    installation: Installation, service: str
) -> None:
    """Every service that talks to a cluster says so alike."""
    end = await ended(service, **settings(installation, service, kubeconfig="/nowhere/config"))
    assert end.code == 2
    assert end.error == (
        "there is no kubeconfig /nowhere/config. "
        "Name one with --kubeconfig or KUBECONFIG, or start a local cluster."
    )


async def test_an_unknown_context_is_told_with_the_known_ones(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The reader sees what could be chosen instead."""
    file = local_cluster.kubeconfig
    end = await ended("watcher", **settings(installation, "watcher", kubeconfig=file, context="x"))
    assert end.code == 2
    assert f"kubeconfig {file} has no context x: it has " in end.error
    assert end.error.endswith("Name one of them with --context.")


async def test_a_cluster_that_is_not_there_is_told_with_its_address(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """Server, kubeconfig and context are named, and what to check."""
    server = f"https://127.0.0.1:{free_port()}"
    file = kubeconfig(local_cluster.kubeconfig, tmp_path / "kubeconfig", server=server)
    end = await ended("snapshotter", **settings(installation, "snapshotter", kubeconfig=file))
    assert end.code == 5
    assert f"the API server {server} cannot be reached" in end.error
    assert str(file) in end.error


async def test_a_user_without_rights_learns_which_right_is_missing(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """At start where a right is needed at once, else in the step that needs it."""
    async with namespace_of_its_own(installation, "stranger") as namespace:
        file = await kubeconfig_without_rights(
            installation.cluster, local_cluster.kubeconfig, namespace, tmp_path
        )
        end = await ended("watcher", **settings(installation, "watcher", kubeconfig=file))
        assert end.code == 6
        assert "not allowed to get customresourcedefinitions" in end.error
        assert f"system:serviceaccount:{namespace}:stranger" in end.error
        assert end.error.endswith("or for the admission rule to be changed.")

        async with Cluster.connect(ClusterAccess(kubeconfig=str(file))) as cluster:
            # The namespace and its objects are asked for at once: any may be refused first.
            with pytest.raises(DeniedError, match=r"not allowed to get \S+ .*stranger"):
                await read_application(cluster, installation.app(namespace))


async def test_a_watcher_that_may_not_watch_is_not_ready_and_says_why(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """It goes on trying, as rights can be given any time; its readiness names the missing one."""
    port = free_port()
    async with namespace_of_its_own(installation, "blind") as namespace:
        file = await kubeconfig_without_rights(
            installation.cluster, local_cluster.kubeconfig, namespace, tmp_path
        )
        wanted = settings(installation, "watcher", kubeconfig=file, health_port=port)
        wanted |= {"install_kinds": "false", "cluster": "another"}
        watcher = await started("watcher", **wanted)
        try:
            problem = await wait_until(
                lambda: _watch_problem(port), deadline_s=45, what="readiness with a reason"
            )
            for kind in ("namespaces", "policies", "profiles"):
                assert f"not allowed to watch {kind}" in problem
        finally:
            watcher.terminate()
            written, _ = await asyncio.wait_for(watcher.communicate(), 30)
    assert watcher.returncode == 0
    assert "Traceback" not in written.decode()


async def _watch_problem(port: int) -> str | None:
    problem = (await readiness(port) or {}).get("watch", "")
    return problem if problem.count("not allowed") == 3 else None


async def test_a_bus_that_is_not_there_is_told_with_its_address(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Before anything else is tried for long."""
    url = f"nats://127.0.0.1:{free_port()}"
    end = await ended("planner", **settings(installation, "planner", nats_url=url))
    assert end.code == 5
    assert f"the message bus at {url} does not answer" in end.error
    assert end.error.endswith("Check that NATS runs there and that the URL is right")


async def test_a_key_that_the_bus_does_not_know_is_told_without_the_key(
    installation: Installation, tmp_path: Path
) -> None:
    """The file is named, what is in it is not."""
    seed = tmp_path / "planner.nk"
    seed.write_text(new_seed())
    end = await ended("planner", **settings(installation, "planner", nats_seed_file=seed))
    assert end.code == 6
    assert "does not know the key of user planner" in end.error
    assert end.error.endswith(f"Check the key file {seed}")
    assert seed.read_text().strip() not in end.written


async def test_a_server_that_is_too_old_is_refused_with_both_versions(
    installation: Installation,
) -> None:
    """It greets as 2.11 and is asked nothing more."""
    async with greeting("2.11.9") as url:
        end = await ended("planner", **settings(installation, "planner", nats_url=url))
    assert end.code == 2
    assert end.error.startswith(f"AppShield needs NATS 2.12 or later, {url} runs 2.11.9")


async def test_wrong_settings_are_all_told_at_once() -> None:
    """Missing, misspelt and impossible ones together, each by its variable."""
    end = await ended("uploader", nats_urls="nats://x", cluster="c", health_port="many")
    assert end.code == 2
    assert "APPSHIELD_UPLOADER_NATS_URLS is unknown; did you mean APPSHIELD_UPLOADER_NATS_URL?" in (
        end.error
    )
    assert "APPSHIELD_UPLOADER_HEALTH_PORT='many'" in end.error
    assert "APPSHIELD_UPLOADER_NATS_URL is missing" in end.error
