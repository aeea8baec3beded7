"""A declared command ends well or says what failed, where, why and what to do."""

from collections.abc import Sequence
from typing import Any

import pytest

from appshield.capture import CapturedHook, Discretion
from appshield.errors import (
    AppShieldError,
    DamagedError,
    DeadlineError,
    InvalidInputError,
    NotFoundError,
    RunFailedError,
    UnavailableError,
)
from appshield.kubernetes import ExecOutcome, Kind, Object, PodRef
from appshield.kubernetes.kinds import POD
from appshield.podvolumes.commands import run_command
from appshield.podvolumes.components import container_of
from appshield.podvolumes.hooks import chosen_pods

PLACE = PodRef("shop", "db-0", "main")
HOOK = CapturedHook(command=("dump", "it"), timeout_s=7)

RUNNING: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "db-0", "namespace": "shop"},
    "spec": {"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "keys"}}]}]},
    "status": {
        "containerStatuses": [
            {"name": "main", "state": {"running": {"startedAt": "2026-01-01T10:00:00Z"}}}
        ]
    },
}


class Executing:
    """A cluster in which the next command ends as the test says."""

    def __init__(self, end: ExecOutcome | AppShieldError, secret_written_at: str) -> None:
        self._end = end
        self._secret = {"metadata": {"managedFields": [{"time": secret_written_at}]}}
        self.ran: list[Sequence[str]] = []

    async def execute(self, place: PodRef, command: Sequence[str], **_: Any) -> ExecOutcome:
        self.ran.append(command)
        if isinstance(self._end, AppShieldError):
            raise self._end
        return self._end

    async def get(self, kind: Kind, _name: str, _namespace: str) -> Object:
        return RUNNING if kind == POD else self._secret


def done(exit_code: int, words: str = "") -> ExecOutcome:
    return ExecOutcome(exit_code=exit_code, stdin_bytes=0, stdout_bytes=0, stderr_tail=words)


async def run(
    end: ExecOutcome | AppShieldError, secret_written_at: str = "2026-01-01T09:00:00Z"
) -> ExecOutcome:
    cluster: Any = Executing(end, secret_written_at)
    return await run_command(
        cluster,
        PLACE,
        HOOK,
        what="the dump of db",
        next_step="Mend it.",
        discretion=Discretion(["hunter2"]),
    )


async def test_a_command_that_ends_well_gives_its_outcome() -> None:
    """What it wrote to its standard error is its own affair then."""
    assert (await run(done(0, "a warning"))).exit_code == 0


@pytest.mark.parametrize(
    ("end", "kind", "why"),
    [
        (done(3, "no room\n"), RunFailedError, "it ended with 3: no room"),
        (done(3), RunFailedError, "it ended with 3"),
        (done(1, "bad hunter2"), RunFailedError, "it ended with 1: bad [hidden]"),
        (DeadlineError("late"), RunFailedError, "it did not end within 7 s, and may still run"),
        (InvalidInputError("x", why="no such program"), RunFailedError, "no such program"),
        (DamagedError("lost", why="5 of 9 bytes"), DamagedError, "5 of 9 bytes"),
    ],
)
async def test_a_command_that_fails_says_what_where_and_why(
    end: ExecOutcome | AppShieldError, kind: type[AppShieldError], why: str
) -> None:
    """Always by the same name, with the same next step."""
    with pytest.raises(kind) as caught:
        await run(end)
    assert caught.value.what.startswith(f"the dump of db in {PLACE} ")
    assert caught.value.why.startswith(why)
    assert caught.value.next_step == "Mend it."


async def test_what_a_container_may_hold_of_an_older_secret_is_not_shown() -> None:
    """No object says any more what to hide; the reader learns why there is nothing to read."""
    with pytest.raises(RunFailedError) as caught:
        await run(done(1, "the old key is hunter1"), "2026-01-01T11:00:00Z")
    assert "hunter1" not in str(caught.value)
    assert caught.value.why.startswith("it ended with 1: what it wrote is not shown")
    assert "Secret keys" in caught.value.why


async def test_a_container_that_cannot_be_reached_is_worth_another_attempt() -> None:
    """The command is not to blame."""
    with pytest.raises(UnavailableError):
        await run(UnavailableError("the node is away"))


def pod(name: str, **labels: str) -> Object:
    containers = [{"name": "main"}, {"name": "side"}]
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"containers": containers},
    }


PODS = [pod("db-0"), pod("db-1", role="primary"), pod("db-2", role="replica")]


@pytest.mark.parametrize(
    ("which", "chosen"),
    [("all", ["db-0", "db-1", "db-2"]), ("any", ["db-0"]), ("leader", ["db-1"])],
)
def test_a_hook_runs_in_the_pods_that_it_names(which: Any, chosen: list[str]) -> None:
    """`any` is the first by name, so that an attempt and the next mean the same."""
    hook = CapturedHook(command=("x",), pods=which)
    assert [found["metadata"]["name"] for found in chosen_pods(PODS, hook)] == chosen


def test_a_leader_that_nobody_is_labelled_as_is_an_error() -> None:
    """A guess would quiesce a replica."""
    with pytest.raises(NotFoundError, match="no pod is labelled as the leader"):
        chosen_pods(PODS[:1], CapturedHook(command=("x",), pods="leader"))


def test_a_container_is_the_one_that_is_named_else_the_first() -> None:
    """One that the pod does not have is told with those that it has."""
    assert container_of(PODS[0], CapturedHook(command=("x",))) == "main"
    assert container_of(PODS[0], CapturedHook(command=("x",), container="side")) == "side"
    beside = [{"name": "init"}, {"name": "sidecar", "restartPolicy": "Always"}]
    with_sidecar = {**PODS[0], "spec": {**PODS[0]["spec"], "initContainers": beside}}
    assert container_of(with_sidecar, CapturedHook(command=("x",))) == "main"
    in_sidecar = CapturedHook(command=("x",), container="sidecar")
    assert container_of(with_sidecar, in_sidecar) == "sidecar"
    with pytest.raises(NotFoundError, match="has no container init"):
        container_of(with_sidecar, CapturedHook(command=("x",), container="init"))
    with pytest.raises(NotFoundError, match="no container other: it has main, side"):
        container_of(PODS[0], CapturedHook(command=("x",), container="other"))
