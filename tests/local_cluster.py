"""The local cluster that all tests share: one warm cluster, a namespace of its own for each test.

It is brought up before the first test and not within its time limit, since a first build takes
minutes. It stays up afterwards: the next run finds it warm. It is not the cluster of the demo, so
that an AppShield that somebody runs there is not disturbed. `APPSHIELD_TEST_CLUSTER` names another
one, so that two sessions can run on one machine: each runs an AppShield of its own against it.
"""

import asyncio
import os

import pytest

from appshield.errors import AppShieldError
from appshield.local.cluster import ClusterFacts, ClusterSettings, cluster_up

_OUTCOME = pytest.StashKey[ClusterFacts | AppShieldError]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring the cluster up when a selected test wants it, and say what takes so long."""
    if session.config.option.collectonly or not any(map(_wants_cluster, session.items)):
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    name = os.environ.get("APPSHIELD_TEST_CLUSTER", "tests")
    settings = ClusterSettings.from_environment(os.environ, name=name)

    def report(line: str) -> None:
        if terminal is not None:
            terminal.write_line(line)

    try:
        session.config.stash[_OUTCOME] = asyncio.run(cluster_up(settings, report))
    except AppShieldError as error:
        session.config.stash[_OUTCOME] = error


def _wants_cluster(item: pytest.Item) -> bool:
    """Tell whether a test asks for the fixture, itself or by a parameter that names it."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    names = (*getattr(item, "fixturenames", ()), *parameters.values())
    return "local_cluster" in names


@pytest.fixture(scope="session")
def local_cluster(request: pytest.FixtureRequest) -> ClusterFacts:
    """The running cluster; fails with the reason when there is none."""
    outcome = request.config.stash[_OUTCOME]
    if isinstance(outcome, AppShieldError):
        raise outcome
    return outcome
