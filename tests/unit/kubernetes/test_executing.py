"""Exec loses no byte unnoticed, and says how a command ended."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from appshield.errors import (
    DamagedError,
    DeadlineError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from appshield.kubernetes import Cluster, ClusterAccess, PodRef
from fake_exec import FakeExec
from fake_kubernetes_documents import kubeconfig_of

POD = PodRef("shop", "db-0", "postgres")
PIECE = bytes(range(256)) * 4096
PIECES = 20


@pytest.fixture
async def kubelet() -> AsyncIterator[FakeExec]:
    async with FakeExec() as running:
        yield running


@pytest.fixture
async def cluster(kubelet: FakeExec, tmp_path: Path) -> AsyncIterator[Cluster]:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig_of(kubelet.server)))
    async with Cluster.connect(ClusterAccess(kubeconfig=str(path))) as connected:
        yield connected


async def pieces(count: int = PIECES) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield PIECE


class Collected:
    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    async def __call__(self, data: bytes) -> None:
        self.digest.update(data)
        self.size_bytes += len(data)


async def test_bytes_go_through_both_ways(cluster: Cluster) -> None:
    """20 MiB of any bytes come back as they went, and are counted."""
    got = Collected()
    outcome = await cluster.execute(POD, ["cat"], stdin=pieces(), stdout=got, timeout_s=60)
    assert outcome.exit_code == 0
    assert outcome.stdin_bytes == outcome.stdout_bytes == got.size_bytes == PIECES * len(PIECE)
    assert got.digest.digest() == hashlib.sha256(PIECE * PIECES).digest()
    assert outcome.stderr_tail == ""


async def test_a_command_without_streams_runs_unwrapped(
    kubelet: FakeExec, cluster: Cluster
) -> None:
    """Images without a shell can run simple commands."""
    outcome = await cluster.execute(POD, ["printf", "hello"], timeout_s=10)
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, 5)
    assert kubelet.queries[0]["command"] == "printf"
    assert kubelet.queries[0]["container"] == "postgres"


@pytest.mark.parametrize("counted", [True, False])
async def test_an_exit_code_is_an_outcome(cluster: Cluster, counted: bool) -> None:
    """A command that fails has run; its words are kept."""
    command = ["sh", "-c", "cat > /dev/null; echo no room >&2; exit 3"]
    outcome = await cluster.execute(
        POD, command, stdin=pieces(), timeout_s=30, count_received=counted
    )
    assert (outcome.exit_code, outcome.stderr_tail) == (3, "no room\n")


async def test_a_program_that_is_missing_is_an_input_error(cluster: Cluster) -> None:
    """Nothing ran, and the caller can mend that."""
    with pytest.raises(InvalidInputError, match="the image has no such program"):
        await cluster.execute(POD, ["no-such-program"], timeout_s=10)


async def test_only_the_end_of_stderr_is_kept(cluster: Cluster) -> None:
    """A chatty command does not fill the memory."""
    command = ["sh", "-c", "cat > /dev/null; seq 100000 >&2; echo end >&2"]
    outcome = await cluster.execute(POD, command, stdin=pieces(1), timeout_s=30)
    assert outcome.stderr_tail.endswith("100000\nend\n")
    assert len(outcome.stderr_tail) < 20_000


async def test_lost_input_is_noticed(kubelet: FakeExec, cluster: Cluster) -> None:
    """A runtime that closes stdin early and reports success is found out."""
    kubelet.lose_stdin_after = 196_608
    with pytest.raises(DamagedError, match=f"exec lost bytes.*{PIECES * len(PIECE)} bytes of std"):
        await cluster.execute(POD, ["sh", "-c", "cat > /dev/null"], stdin=pieces(), timeout_s=30)


async def test_an_end_of_input_that_is_lost_costs_no_time(
    kubelet: FakeExec, cluster: Cluster
) -> None:
    """All output is here and counted: whether the wrapper hears that it may end does not matter."""
    kubelet.lose_end_of_stdin = True
    outcome = await cluster.execute(POD, ["printf", "hello"], stdout=Collected(), timeout_s=30)
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, 5)


@pytest.mark.parametrize("counted", [True, False])
async def test_input_without_a_byte_depends_on_no_end_being_heard(
    kubelet: FakeExec, cluster: Cluster, counted: bool
) -> None:
    """A runtime can lose an end that comes while it is still opening: the command would wait."""
    kubelet.lose_end_of_stdin = True
    outcome = await cluster.execute(
        POD, ["cat"], stdin=pieces(0), timeout_s=30, count_received=counted
    )
    assert (outcome.exit_code, outcome.stdin_bytes, outcome.stdout_bytes) == (0, 0, 0)


async def test_lost_output_is_noticed(kubelet: FakeExec, cluster: Cluster) -> None:
    """Output that ends early is found out as well."""
    kubelet.lose_stdout_after = 100_000
    with pytest.raises(DamagedError, match="bytes of stdout passed here"):
        await cluster.execute(
            POD, ["head", "-c", "1000000", "/dev/zero"], stdout=Collected(), timeout_s=30
        )


async def test_a_command_that_leaves_input_behind_is_noticed(cluster: Cluster) -> None:
    """Success with half of the input unread is no success of a load."""
    with pytest.raises(DamagedError, match="bytes of stdin"):
        await cluster.execute(POD, ["head", "-c", "10"], stdin=pieces(), timeout_s=30)


async def test_a_caller_that_expects_unread_input_says_so(cluster: Cluster) -> None:
    """Without the count, what was left is drained and the exit code stands."""
    outcome = await cluster.execute(
        POD, ["head", "-c", "10"], stdin=pieces(), timeout_s=30, count_received=False
    )
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, 10)


async def test_an_image_that_cannot_count_is_told(cluster: Cluster) -> None:
    """A wrapper that does not work is not taken for success."""
    command = ["sh", "-c", "cat > /dev/null; kill -9 $PPID"]
    with pytest.raises(DamagedError, match="did not come back"):
        await cluster.execute(POD, command, stdin=pieces(1), timeout_s=30)


@pytest.mark.parametrize("fed", [True, False])
async def test_output_on_its_way_is_not_overtaken_by_the_end(
    kubelet: FakeExec, cluster: Cluster, fed: bool
) -> None:
    """The command's last bytes and the report arrive before the container's side ends."""
    kubelet.lose_tail_after_s = 0.2
    got = Collected()
    outcome = await cluster.execute(
        POD, ["printf", "hello"], stdin=pieces(0) if fed else None, stdout=got, timeout_s=30
    )
    assert (outcome.exit_code, outcome.stdout_bytes, got.size_bytes) == (0, 5, 5)
    bare = await cluster.execute(POD, ["printf", "hello"], timeout_s=30)
    assert bare.stdout_bytes == 0, "the fault is real: unwrapped, the bytes are lost"


async def test_no_status_is_a_failure(kubelet: FakeExec, cluster: Cluster) -> None:
    """A connection that closes in silence did not succeed."""
    kubelet.give_status = False
    with pytest.raises(UnavailableError, match="broke before the command ended"):
        await cluster.execute(POD, ["true"], timeout_s=10)


async def test_an_older_protocol_is_refused(kubelet: FakeExec, cluster: Cluster) -> None:
    """Without half-close, the end of stdin cannot be told."""
    kubelet.protocols = ("v4.channel.k8s.io",)
    with pytest.raises(RefusedError, match="version 5"):
        await cluster.execute(POD, ["true"], timeout_s=10)


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (404, NotFoundError, "there is no container postgres of pod db-0 in namespace shop"),
        (400, InvalidInputError, "no such container"),
        (403, DeniedError, r"create pods/exec\) in container postgres"),
        (500, UnavailableError, "HTTP 500"),
    ],
)
async def test_a_refused_exec_says_why(
    kubelet: FakeExec, cluster: Cluster, code: int, error: type[Exception], text: str
) -> None:
    """The pod, the container and the reason are named."""
    kubelet.refuse_with = code
    with pytest.raises(error, match=text):
        await cluster.execute(POD, ["true"], timeout_s=10)


async def test_a_command_that_hangs_meets_its_deadline(cluster: Cluster) -> None:
    """Nothing waits for ever."""
    with pytest.raises(DeadlineError, match=r"did not end within 0\.3 s"):
        await cluster.execute(POD, ["sleep", "30"], timeout_s=0.3)


async def test_a_source_that_fails_fails_the_exec(cluster: Cluster) -> None:
    """The caller's own error comes back as it is."""

    async def broken() -> AsyncIterator[bytes]:
        yield PIECE
        raise DamagedError("the pack does not verify")

    with pytest.raises(DamagedError, match="the pack does not verify"):
        await cluster.execute(POD, ["cat"], stdin=broken(), timeout_s=30)


async def test_a_timeout_of_the_callers_own_stays_that(cluster: Cluster) -> None:
    """Only our deadline is reported as one."""

    async def slow(_data: bytes) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await cluster.execute(POD, ["echo", "x"], stdout=slow, timeout_s=30)


async def test_a_slow_reader_slows_the_command_and_loses_nothing(cluster: Cluster) -> None:
    """Output waits for the caller instead of filling the memory."""
    got = Collected()

    async def slow(data: bytes) -> None:
        await asyncio.sleep(0.001)  # slower than the command writes: that is the claim
        await got(data)

    outcome = await cluster.execute(
        POD, ["head", "-c", "8000000", "/dev/zero"], stdout=slow, timeout_s=60
    )
    assert outcome.stdout_bytes == got.size_bytes == 8_000_000
