"""`appshield backup`: ask for a version now."""

from typing import Annotated

from cyclopts import Parameter

from appshield.bus import Bus
from appshield.cli.options import AppName, Namespace, Output, Wait
from appshield.cli.outcomes import failed, say_outcome
from appshield.cli.output import note, pause_text, say, say_json
from appshield.cli.progress import Silent, display
from appshield.cli.reaching import Reach
from appshield.cli.waiting import admitted, ended, nobody_plans
from appshield.contracts.runs import FINAL_STATES
from appshield.doors import asking
from appshield.doors.naming import active, wanted
from appshield.doors.records import applications
from appshield.doors.requesting import ask

ANSWER_WITHIN_S = 3.0
"""How long a command that does not wait looks whether the planner has taken up its request."""


async def backup(
    app: AppName,
    /,
    *,
    namespace: Namespace = "",
    wait: Wait = False,
    reason: Annotated[str, Parameter(help="Why, for the version's record.")] = "",
    rule: Annotated[
        str,
        Parameter(
            help="A rule that starts by hand (`manual: true`): its version is kept, and waits, as "
            "that says. Default: at once, kept until somebody forgets it."
        ),
    ] = "",
    output: Output = "text",
) -> None:
    """Make a version of an application now, while it runs."""
    want, reach = wanted(app, namespace), Reach.here()
    async with reach.bus() as bus:
        asker = await reach.asker(bus)
        record = active(await applications(bus), want, asker.cluster)
        if record.paused is not None:
            note(f"{record.app} is paused {pause_text(record.paused)}; only this is done")
        request = asking.backup(record, asker, reason=reason, rule=rule)
        await follow(bus, await ask(bus, request), wait=wait, output=output)


async def follow(bus: Bus, run: str, *, wait: bool, output: str) -> None:
    """Say what becomes of a run that was asked for: at its end, or as far as it is known now."""
    if wait:
        say_outcome(await ended(bus, run, display()), output=output)
        return
    found = await admitted(bus, run, Silent(), within_s=ANSWER_WITHIN_S)
    if found is None:
        note(f"warning: {nobody_plans(f'`appshield run {run} --wait`')}")
    elif found.state in FINAL_STATES and found.state not in {"succeeded", "folded"}:
        raise failed(found)
    run = found.folded_into if found is not None and found.folded_into else run
    if output == "json":
        say_json({"run": run})
        return
    say(run)
    note(f"`appshield run {run} --wait` follows it")
