"""Whether an agent is lent a key: by what the planner has on record of the run. Pure."""

from appshield.contracts.agents import AgentService
from appshield.contracts.lending import BorrowKey
from appshield.contracts.runs import Run
from appshield.service.steps import unwanted

_STEPS: dict[AgentService, str] = {"uploader": "store/", "restorer": "load/"}
"""How the steps begin that the agents of a service are given."""


def refusal(run: Run | None, asked: BorrowKey) -> str:
    """Say why the key is not lent, nothing where it is.

    The run must wait for that step, and have given it to who asks; and the key must be that of the
    run's own repository.
    """
    if run is None or run.id != asked.run:
        return "the run is unknown"
    if (why := unwanted(run, asked)) is not None:
        return why
    step = next(step for step in run.steps if step.name == asked.step)
    if step.node != asked.node or not step.name.startswith(_STEPS[asked.service]):
        return f"step {step.name} was not given to the {asked.service} of node {asked.node}"
    if (run.app_id, run.vault) != (asked.app_id, asked.vault):
        return f"the run is about another repository than {asked.app_id} in Vault {asked.vault}"
    return ""
