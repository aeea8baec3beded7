"""Prune a repository: what no version needs goes, and backups and restores go first."""

from appshield.contracts.maintenance import RepositoryPruned
from appshield.contracts.message import StepCommand
from appshield.errors import RefusedError
from appshield.service.steps import StepContext


async def prune(command: StepCommand, _: StepContext) -> RepositoryPruned:
    """Refuse: what no version needs stays until it can be removed.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"the repository of {command.app} cannot be pruned",
        why="this release only forgets versions; their data stays",
        next_step="A stock `restic prune` frees it: `appshield vault password` prints how.",
    )
