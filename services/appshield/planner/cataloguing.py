"""The flow of a catalog run: read the Vault once; its findings arrive as they are made."""

from appshield.contracts.catalog import RebuildCatalog
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import Run
from appshield.planner.steps import Next


def first(_: Run) -> tuple[Next, ...]:
    """Read the Vault."""
    return (Next("rebuild"),)


def following(_: Run) -> tuple[Next, ...]:
    """Nothing follows."""
    return ()


def last(_: Run) -> tuple[Next, ...]:
    """Nothing was made that has to go."""
    return ()


def gather(run: Run, _: StepEvent) -> Run:
    """Findings go into the catalog, not into the run."""
    return run


def order(run: Run, step: str) -> StepCommand:
    """Write the order to read the Vault."""
    return RebuildCatalog(
        app=run.app,
        run=run.id,
        step=step,
        attempt=1,
        epoch=run.epoch,
        app_id=run.app_id,
        vault=run.vault,
    )
