"""A command at a terminal, for tests: what the person sees, and what the person types."""

import asyncio
import os
import pty
import select
import subprocess
import time
from collections.abc import Sequence

PATIENCE_S = 40.0
_EXPECTED_S = 0.2


class Terminal:
    """One command with a terminal of its own, as its controlling one."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._seen = b""
        try:
            self._process = subprocess.Popen(
                ["setsid", "--ctty", "--wait", *command],
                env=environment,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
            )
        finally:
            os.close(theirs)

    @property
    def seen(self) -> str:
        """All that was on the screen so far."""
        return self._seen.decode(errors="replace")

    async def until(self, text: str) -> None:
        """Wait until something is on the screen."""
        await asyncio.to_thread(self._read, text)

    def type(self, text: str) -> None:
        """Type something, Ctrl-C and Ctrl-D included."""
        os.write(self._ours, text.encode())

    async def end(self) -> int:
        """Wait for the end of the command and return its exit code."""
        await asyncio.to_thread(self._read, None)
        code = await asyncio.to_thread(self._process.wait, PATIENCE_S)
        os.close(self._ours)
        return code

    def _read(self, text: str | None) -> None:
        last = time.monotonic() + PATIENCE_S
        while text is None or text not in self.seen:
            if time.monotonic() > last:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"never seen: {text!r} in {self.seen!r}")
            if not select.select([self._ours], [], [], _EXPECTED_S)[0]:
                continue
            try:
                piece = os.read(self._ours, 4096)
            except OSError:  # the other side is closed: how Linux says the end of a terminal
                piece = b""
            if not piece:
                if text is None:
                    return
                raise AssertionError(f"ended before {text!r}: {self.seen!r}")
            self._seen += piece
