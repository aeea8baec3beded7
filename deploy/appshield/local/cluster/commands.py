"""Running a program of the system to its end, with a deadline and an error that can be read."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from appshield.errors import DeadlineError, RunFailedError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs of the system are: root's own path may lack half of it."""

_TAIL_LINES = 5


async def run_command(
    *argv: str | Path,
    timeout_s: float = 30.0,
    environment: Mapping[str, str] | None = None,
    accepted: tuple[int, ...] = (0,),
) -> str:
    """Run it and return what it printed.

    Raises `RunFailedError` with the last lines that it wrote when its exit code is not one of
    `accepted`, `DeadlineError` (after killing it) when it takes longer than `timeout_s`.
    """
    words = [str(word) for word in argv]
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PATH": SYSTEM_PATH, **(environment or {})},
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise DeadlineError(
            f"`{' '.join(words[:3])}` did not end within {timeout_s:g} s",
            next_step="It was stopped; try again when the machine is less busy",
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in accepted:
        tail = (errors or output).decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        raise RunFailedError(
            f"`{' '.join(words)}` ended with code {process.returncode}", why=" / ".join(tail)
        )
    return output.decode(errors="replace")
