"""Run a command that an Application document declares, in a container of the application."""

from collections.abc import AsyncIterator, Awaitable, Callable

from appshield.capture import CapturedHook, Discretion
from appshield.errors import DamagedError, DeadlineError, InvalidInputError, RunFailedError
from appshield.kubernetes import Cluster, ExecOutcome, PodRef
from appshield.podvolumes.rotated import rotated_secret


async def run_command(
    cluster: Cluster,
    place: PodRef,
    hook: CapturedHook,
    *,
    what: str,
    next_step: str,
    discretion: Discretion,
    stdin: AsyncIterator[bytes] | None = None,
    stdout: Callable[[bytes], Awaitable[None]] | None = None,
) -> ExecOutcome:
    """Run `hook` in `place` to its good end; `what` names it in errors ("the dump of db").

    Raises:
        RunFailedError: it ended with another code than 0, not in its time, or cannot be run.
        DamagedError: it succeeded, but not every byte went through.
        UnavailableError: the container cannot be reached now.
    """
    named = f"{what} in {place}"
    try:
        done = await cluster.execute(
            place, hook.command, timeout_s=hook.timeout_s, stdin=stdin, stdout=stdout
        )
    except InvalidInputError as error:
        raise RunFailedError(f"{named} failed", why=error.why, next_step=next_step) from error
    except DeadlineError as error:
        why = f"it did not end within {hook.timeout_s:g} s, and may still run there"
        raise RunFailedError(f"{named} failed", why=why, next_step=next_step) from error
    except DamagedError as error:
        raise DamagedError(f"{named} is not whole", why=error.why, next_step=next_step) from error
    if done.exit_code != 0:
        words = await _told(cluster, place, done.stderr_tail, discretion)
        why = f"it ended with {done.exit_code}" + (f": {words}" if words else "")
        raise RunFailedError(f"{named} failed", why=why, next_step=next_step)
    return done


async def _told(cluster: Cluster, place: PodRef, written: str, discretion: Discretion) -> str:
    words = discretion.told(written)
    if words and (secret := await rotated_secret(cluster, place)):
        return (
            f"what it wrote is not shown, as the container may hold what Secret {secret} said "
            "before it was changed"
        )
    return words
