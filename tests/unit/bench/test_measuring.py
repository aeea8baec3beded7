"""All processes of a command are measured, also those that it leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.measuring import CommandFailedError, Measured, measure, pss_bytes

MIB = 1 << 20


def run(script: str, folder: Path) -> Measured:
    """Measure a script of Python, in a process that is a reaper as the benchmark is."""
    (folder / "script.py").write_text(script)
    return measure(
        [sys.executable, "-S", folder / "script.py"], environment={}, output=folder / "output"
    )


BUSY = "import time\nwhile time.process_time() < 0.1: pass\n"


def test_the_work_of_children_counts(tmp_path: Path) -> None:
    """CPU time of a child is CPU time of the command."""
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-c', {BUSY!r}])\n"
    found = run(child, tmp_path)
    assert found.cpu_s >= 0.1
    assert found.wall_s >= 0.1


def test_the_memory_of_children_counts_and_shared_pages_count_once(tmp_path: Path) -> None:
    """Two processes that share 40 MiB and hold 20 MiB each take 80 MiB, not 120."""
    script = (
        "import os, time\n"
        f"shared = bytearray(b'x') * {40 * MIB}\n"
        "child = os.fork()\n"
        f"own = bytearray(b'y') * {20 * MIB}\n"
        "time.sleep(0.6)\n"  # holds the memory for some looks, 50 ms or 50 times their cost apart
        "if child: os.waitpid(child, 0)\n"
    )
    found = run(script, tmp_path)
    assert 80 * MIB <= found.pss_peak_bytes < 110 * MIB


def test_the_work_of_orphans_counts(tmp_path: Path) -> None:
    """A child that outlives its parent comes to the measuring process, and is awaited there."""
    (tmp_path / "orphan.py").write_text(f"import os\nif os.fork() == 0: exec({BUSY!r})\n")
    script = (
        "import sys; from pathlib import Path; from bench.measuring import become_reaper, measure\n"
        "become_reaper(); folder = Path(sys.argv[1])\n"
        "command = [sys.executable, '-S', folder / 'orphan.py']\n"
        "print(measure(command, environment={}, output=folder / 'output').cpu_s)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, tmp_path], env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True, check=True,
    )  # fmt: skip
    assert float(told.stdout) >= 0.1


def test_a_command_that_fails_is_no_result(tmp_path: Path) -> None:
    """Its last words are told."""
    with pytest.raises(CommandFailedError, match="out of luck"):
        run("raise SystemExit('out of luck')", tmp_path)


def test_a_process_that_is_gone_has_no_memory() -> None:
    """It may end while it is looked at."""
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        process.wait()
    assert pss_bytes(process.pid) == 0
