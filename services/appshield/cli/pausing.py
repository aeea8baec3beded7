"""`appshield pause` and `resume`: whether anything begins by itself for an application."""

from typing import Annotated

from cyclopts import Parameter

from appshield.cli import waiting
from appshield.cli.options import AppName, Namespace
from appshield.cli.output import note, pause_text, say
from appshield.cli.reaching import Reach
from appshield.doors import asking
from appshield.doors.naming import active, wanted
from appshield.doors.records import applications


async def pause(
    app: AppName,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; shown by `status`.")] = "",
    namespace: Namespace = "",
) -> None:
    """Let nothing begin by itself for an application until `resume`.

    No trigger and no reaction acts, and no version expires. What you ask for is done all the same.
    """
    await _change(app, namespace, paused=True, reason=reason)


async def resume(app: AppName, /, *, namespace: Namespace = "") -> None:
    """Let triggers and reactions act for an application again.

    What they would have done meanwhile is not made up for.
    """
    await _change(app, namespace, paused=False, reason="")


async def _change(app: str, namespace: str, *, paused: bool, reason: str) -> None:
    want, reach = wanted(app, namespace), Reach.here()
    async with reach.bus() as bus:
        asker = await reach.asker(bus)
        record = active(await applications(bus), want, asker.cluster)
        if paused == (record.paused is not None):
            already = f"is paused already, {pause_text(record.paused)}" if record.paused else ""
            note(f"{record.app} {already or 'is not paused'}")
            return
        await bus.publish(asking.pause(record, asker, paused=paused, reason=reason))
        await waiting.paused(bus, record.app_id, wanted=paused)
    say(f"{record.app} is {'paused' if paused else 'not paused any more'}")
