"""The port through which the demo uses AppShield: what a person would ask the command line for."""

from typing import Protocol

from appshield.contracts.backups import VersionFacts


class Continuity(Protocol):
    """Saves an application and brings a version back. Each call waits for the end of its run."""

    async def back_up(self, namespace: str, name: str) -> VersionFacts:
        """Make a version now and return it; waits until a document just applied is known.

        Raises RunFailedError when the run fails, DeadlineError, UnavailableError.
        """
        ...

    async def restore(self, namespace: str, name: str, version: int) -> None:
        """Bring a version back into its namespace; returns when its workloads are ready.

        Raises RunFailedError, RefusedError (something is in the way), DeadlineError.
        """
        ...
