"""`appshield health`: how AppShield itself is."""

from appshield.cli.options import Output
from appshield.cli.output import say, say_json, say_table, time_text
from appshield.cli.reaching import Reach
from appshield.doors.own_health import own_health
from appshield.errors import UnavailableError


async def health(*, output: Output = "text") -> None:
    """Show which services of AppShield are alive; ends with 5 where one is missing."""
    async with Reach.here().bus() as bus:
        found = await own_health(bus)
    if output == "json":
        say_json(found)
    else:
        say_table(
            ("SERVICE", "NODE", "CLUSTER", "PROCESS", "SEEN"),
            [
                (one.service, one.node or "-", one.cluster, one.worker, time_text(one.seen_at))
                for one in found.services
            ],
            empty="no service of AppShield is alive",
        )
    if found.problems:
        raise UnavailableError(
            "AppShield is not whole",
            why="; ".join(found.problems),
            next_step="See that `appshield up`, or each of its services, runs, and read its logs.",
        )
    if output == "text":
        say("all is well")
