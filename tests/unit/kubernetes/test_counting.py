"""The shell wrappers, run by the real shells of this machine."""

import subprocess

import pytest

from appshield.kubernetes.counting import Report, counting, draining, split_report

BIG = bytes(range(256)) * 4096 * 3 + b"tail"
SHELLS = [["sh"], ["bash"], ["busybox", "sh"]]


def run(shell: list[str], wrapped: list[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: PLW1510 - exit codes are compared
        [*shell, *wrapped[1:]], input=given, capture_output=True, timeout=30
    )


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
class TestCounting:
    def test_all_bytes_pass_and_are_counted(self, shell: list[str]) -> None:
        """Both streams are unchanged and their sizes known."""
        done = run(shell, counting(["cat"], "M:", stdin=True, stdout=True), BIG)
        assert done.stdout == BIG
        assert split_report(done.stderr, "M:") == (b"", Report(0, len(BIG), len(BIG)))

    def test_what_the_command_did_not_take_is_missed(self, shell: list[str]) -> None:
        """A command that succeeds early is found out."""
        wrapped = counting(["head", "-c", "10"], "M:", stdin=True, stdout=True)
        _, report = split_report(run(shell, wrapped, BIG).stderr, "M:")
        assert report is not None
        assert (report.exit_code, report.stdout_bytes) == (0, 10)
        assert report.stdin_bytes is not None
        assert report.stdin_bytes < len(BIG)

    def test_exit_code_and_stderr_are_the_commands(self, shell: list[str]) -> None:
        """A failing command is not hidden by the pipeline around it."""
        command = ["sh", "-c", "cat > /dev/null; echo oh >&2; exit 7"]
        done = run(shell, counting(command, "M:", stdin=True, stdout=True), BIG)
        assert split_report(done.stderr, "M:") == (b"oh\n", Report(7, len(BIG), 0))

    def test_output_alone_is_counted(self, shell: list[str]) -> None:
        """Without stdin only stdout is counted."""
        wrapped = counting(["printf", "%s", "hello"], "M:", stdin=False, stdout=True)
        done = run(shell, wrapped, b"")
        assert done.stdout == b"hello"
        assert split_report(done.stderr, "M:") == (b"", Report(0, None, 5))

    def test_words_reach_the_command_unchanged(self, shell: list[str]) -> None:
        """Blanks, quotes and dollars in arguments mean themselves."""
        words = ["a b", '"', "$HOME", "'", "*", "", "-n"]
        wrapped = counting(["printf", "[%s]", *words], "M:", stdin=True, stdout=True)
        assert run(shell, wrapped, b"").stdout == "".join(f"[{w}]" for w in words).encode()

    def test_draining_reads_to_the_end_and_keeps_the_exit_code(self, shell: list[str]) -> None:
        """The plain wrapper takes what the command left."""
        done = run(shell, draining(["sh", "-c", "head -c 10; exit 3"]), BIG)
        assert (done.returncode, done.stdout) == (3, BIG[:10])


def test_a_cut_report_is_no_report() -> None:
    """Half a report proves nothing."""
    assert split_report(b"text\nM:stdin 12;", "M:") == (b"text\nM:stdin 12;", None)
    assert split_report(b"text", "M:") == (b"text", None)


def test_what_others_write_after_the_report_stays_apart() -> None:
    """A child that outlives its parent may still write to stderr."""
    text = b"before\nM:exit 0;\nstdin 12;M:\nafter"
    assert split_report(text, "M:") == (b"beforeafter", Report(0, 12, None))
