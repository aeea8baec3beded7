"""Tests are shared out: those for a cluster to the first processes, the others to all."""

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import pytest
from xdist.workermanage import WorkerController

from sharing_out import CLUSTERS, CLUSTERS_MAX, GIB, LONG_FIRST, SharingOut, clusters_for

CLUSTER_MODULES = [f"tests/cluster/test_{letter}.py" for letter in "abcdefgh"]
OTHER_MODULES = [f"tests/unit/test_{letter}.py" for letter in "stuvwxyz"]


class Process(WorkerController):
    """A process that runs tests, as the scheduler sees it."""

    def __init__(self, number: int) -> None:
        self.gateway = Mock(id=f"gw{number}")
        self.ended = False
        self.given: list[int] = []
        self.ran: list[str] = []

    @property
    def shutting_down(self) -> bool:
        return self.ended

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        assert not self.ended
        self.given.extend(indices)

    def shutdown(self) -> None:
        self.ended = True


def named_in(modules: Sequence[str]) -> list[str]:
    return [f"{module}::test_{number}" for module in modules for number in range(3)]


def run(config: pytest.Config, tests: Sequence[str], *numbers: int) -> dict[int, list[str]]:
    """Let processes, ready in this order, run one test each in turn; say what each ran."""
    processes = {number: Process(number) for number in numbers}
    scheduler = SharingOut(config)
    scheduler.numnodes = len(processes)
    for process in processes.values():
        scheduler.add_node(process)
        scheduler.add_node_collection(process, tests)
    scheduler.schedule()
    while waiting := [each for each in processes.values() if len(each.ran) < len(each.given)]:
        for process in waiting:
            index = process.given[len(process.ran)]
            process.ran.append(tests[index])
            scheduler.mark_test_complete(process, index)
    assert all(process.ended for process in processes.values())
    return {number: process.ran for number, process in processes.items()}


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> pytest.Config:
    monkeypatch.setattr(pytestconfig.option, "tx", ["popen"])
    return pytestconfig


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0)])
def test_every_test_runs_once_and_those_for_a_cluster_where_one_is(
    config: pytest.Config, order: Sequence[int]
) -> None:
    """Whichever process was ready first: clusters have the same names at every run."""
    tests = named_in([*CLUSTER_MODULES, *OTHER_MODULES])
    ran = run(config, tests, *order)
    assert sorted(test for done in ran.values() for test in done) == sorted(tests)
    with_cluster = {number for number in ran if any("/cluster/" in test for test in ran[number])}
    assert with_cluster == set(range(CLUSTERS))


def test_a_module_runs_in_one_process(config: pytest.Config) -> None:
    """It shares what it sets up among its own tests."""
    ran = run(config, named_in([*CLUSTER_MODULES, *OTHER_MODULES]), 0, 1, 2, 3)
    modules = [{test.partition("::")[0] for test in done} for done in ran.values()]
    assert sum(map(len, modules)) == len(CLUSTER_MODULES) + len(OTHER_MODULES)


def test_a_process_with_a_cluster_helps_the_others_afterwards(config: pytest.Config) -> None:
    """Those for the cluster come first, since they wait the longest."""
    ran = run(config, named_in([*OTHER_MODULES, *CLUSTER_MODULES]), 0)
    assert ran[0] == named_in([*CLUSTER_MODULES, *OTHER_MODULES])


def test_processes_without_a_cluster_end_when_there_is_nothing_for_them(
    config: pytest.Config,
) -> None:
    """Only tests for a cluster are selected."""
    ran = run(config, named_in(CLUSTER_MODULES), *range(CLUSTERS + 2))
    assert [number for number, done in ran.items() if not done] == [CLUSTERS, CLUSTERS + 1]


def test_long_modules_come_first_among_those_that_fit(config: pytest.Config) -> None:
    """Wherever they stand: none is begun when all others are done."""
    cluster_first, other_first = LONG_FIRST[0], LONG_FIRST[-1]
    ran = run(config, named_in([*OTHER_MODULES, other_first, *CLUSTER_MODULES, cluster_first]), 0)
    assert ran[0][:3] == named_in([cluster_first])
    assert ran[0] == named_in([cluster_first, *CLUSTER_MODULES, other_first, *OTHER_MODULES])


def test_the_long_modules_are_there() -> None:
    """A renamed one would lose its turn without a word."""
    top = Path(__file__).resolve().parents[2]
    assert [module for module in LONG_FIRST if not (top / module).is_file()] == []


def test_one_module_goes_to_the_first_process(config: pytest.Config) -> None:
    """Its cluster is the one that is up already."""
    assert run(config, named_in(CLUSTER_MODULES[:1]), 2, 1, 0)[0] == named_in(CLUSTER_MODULES[:1])


@pytest.mark.parametrize(
    ("memory_gib", "clusters"), [(2, 1), (6.9, 1), (7.7, 2), (11.5, 3), (24, CLUSTERS_MAX)]
)
def test_a_small_machine_has_fewer_clusters(memory_gib: float, clusters: int) -> None:
    """It would begin to swap, or end them."""
    assert clusters_for(int(memory_gib * GIB)) == clusters
