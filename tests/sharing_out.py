"""How tests are shared out to processes: whole modules, and clusters to a few processes only.

A module of tests runs in one process. The first processes have a cluster of their own, and an
AppShield there; they take the modules that want a cluster, one after the other as they come free,
then help with the rest. All other processes fill the time in which those wait. Long modules come
first, so that at the end none is left that everything waits for.
"""

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

GIB = 1 << 30
CLUSTERS_MAX = 4
"""Processes with a cluster: more of them would wait for two processors, not for their clusters."""
MEMORY_OF_CLUSTER = 7 * GIB // 2
"""A cluster with an AppShield takes 2 GiB; there are those of the demo and of single tests, too."""
CLUSTER_TESTS = ("tests/cluster/", "tests/conformance/kubernetes/")


LONG_FIRST = (
    "tests/cluster/test_kills.py",
    "tests/cluster/test_local_cluster_lifecycle.py",
    "tests/cluster/test_bad_vaults.py",
    "tests/cluster/test_restored_objects.py",
    "tests/cluster/test_main_job.py",
    "tests/cluster/test_command_line.py",
    "tests/cluster/test_schedules.py",
    "tests/cluster/test_demonstration.py",
    "tests/matrix/test_kill_matrix.py",
    "tests/integration/deploy/test_image.py",
    "tests/integration/planner/test_planner_processes.py",
)
"""Modules of a minute and more, the longest first."""


def wants_cluster(name: str) -> bool:
    """Say whether the test or module of this name needs a running cluster."""
    return name.startswith(CLUSTER_TESTS)


def clusters_for(memory_bytes: int) -> int:
    """Say how many processes have a cluster on a machine with so much memory."""
    return max(1, min(CLUSTERS_MAX, memory_bytes // MEMORY_OF_CLUSTER))


CLUSTERS = clusters_for(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


class SharingOut(LoadScopeScheduling):
    """Gives the next module that fits to the process that comes free."""

    def schedule(self) -> None:
        """Count the processes in their order, whichever was ready first."""
        self.assigned_work = dict(
            sorted(self.assigned_work.items(), key=lambda each: _number(each[0]))
        )
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        has_cluster = self.nodes.index(node) < CLUSTERS
        fitting = [module for module in self.workqueue if has_cluster or not wants_cluster(module)]
        if not fitting:
            node.shutdown()
            return
        with_cluster = [module for module in fitting if wants_cluster(module)]
        self.workqueue.move_to_end(min(with_cluster or fitting, key=_turn), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharingOut:
    """Say how tests are shared out."""
    return SharingOut(config, log)


def _turn(module: str) -> int:
    return LONG_FIRST.index(module) if module in LONG_FIRST else len(LONG_FIRST)


def _number(node: WorkerController) -> int:
    return int(node.gateway.id.removeprefix("gw"))
