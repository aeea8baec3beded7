"""The local cluster that tests share: one warm cluster, a namespace of its own for each test.

Tests run in several processes (see `sharing_out`); each that has tests for a cluster has one of its
own, and an AppShield there (see `installation`). A cluster is brought up before its first test and
not within a time limit, since a first build takes minutes: the process that shows the results does
that for the first one, so that its progress is seen. Clusters stay up afterwards: the next run
finds them warm. None is the cluster of the demo, so that an AppShield that somebody runs there is
not disturbed. `APPSHIELD_TEST_CLUSTER` names others, so that two sessions can run on one machine.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence

import pytest

from appshield.errors import AppShieldError
from appshield.local.cluster import ClusterFacts, ClusterSettings, cluster_up
from sharing_out import wants_cluster

_OUTCOME = pytest.StashKey[AppShieldError]()


def settings_of_this_process() -> ClusterSettings:
    """Name the cluster of this process: the first one has the name itself."""
    name = os.environ.get("APPSHIELD_TEST_CLUSTER", "tests")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return ClusterSettings.from_environment(
        os.environ, name=name if worker == "gw0" else f"{name}-{worker}"
    )


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Do not count the wait for the cluster into the time limit of a test."""
    for item in items:
        if wants_cluster(item.nodeid):
            limit = item.get_closest_marker("timeout")
            arguments = limit.args if limit is not None else ()
            item.add_marker(pytest.mark.timeout(*arguments, func_only=True), append=False)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring the cluster up when tests run in this process alone and one of them wants it."""
    if not session.config.option.collectonly and "PYTEST_XDIST_WORKER" not in os.environ:
        _bring_up(session.config, (item.nodeid for item in session.items))


class _BeforeTheTests:
    """Hooks of the process that shows the results."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._looked = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Build and start the first cluster where people see it, before any test runs."""
        if not self._looked:
            self._looked = True
            _bring_up(self._config, ids)


def pytest_configure(config: pytest.Config) -> None:
    """Take part in what the process does that shows the results."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(_BeforeTheTests(config))


def _bring_up(config: pytest.Config, ids: Iterable[str]) -> None:
    if not any(wants_cluster(name) for name in ids):
        return
    terminal = config.pluginmanager.get_plugin("terminalreporter")

    def report(line: str) -> None:
        if terminal is not None:
            terminal.write_line(line)

    try:
        asyncio.run(cluster_up(settings_of_this_process(), report))
    except AppShieldError as error:
        config.stash[_OUTCOME] = error  # told by each test that wants it


@pytest.fixture(scope="session")
async def local_cluster(request: pytest.FixtureRequest) -> ClusterFacts:
    """The running cluster; fails with the reason when there is none."""
    failure = request.config.stash.get(_OUTCOME, None)
    if failure is not None:
        raise failure
    return await cluster_up(settings_of_this_process(), lambda _: None)
