"""`appshield policies`: which policies there are, and which applications they match."""

from typing import Annotated

from cyclopts import Parameter

from appshield.cli.options import Output
from appshield.cli.output import say, say_fields, say_json, say_table
from appshield.cli.reaching import Reach
from appshield.doors.policies import PolicyView, policy_view
from appshield.doors.records import applications, policies_of
from appshield.errors import NotFoundError

_MATCH_CHARACTERS = 60


async def policies(
    name: Annotated[str, Parameter(help="Show this policy alone, with all that it matches.")] = "",
    /,
    *,
    output: Output = "text",
) -> None:
    """List policies, or show one with the applications that it matches."""
    async with Reach.here().bus() as bus:
        known = await policies_of(bus)
        active = [one for one in await applications(bus) if one.state == "active"]
    views = [policy_view(policy, active) for policy in known if name in {"", policy.app.name}]
    if name and not views:
        raise NotFoundError(
            f"there is no policy {name}", next_step="`appshield policies` lists those that are."
        )
    if output == "json":
        say_json(views)
    elif name:
        _say_one(views[0])
    else:
        say_table(
            ("NAME", "APPLICATIONS", "STATE", "RULES", "TARGETS", "MATCH"),
            [_row(view) for view in views],
            empty="no policy is known. `appshield apply -f FILE` tells of one.",
        )


def _row(view: PolicyView) -> tuple[str, ...]:
    policy = view.policy
    return (
        policy.app.name,
        str(len(view.applications)),
        _state(view),
        ", ".join(rule.name for rule in policy.protections),
        ", ".join(policy.targets),
        policy.match[:_MATCH_CHARACTERS],
    )


def _state(view: PolicyView) -> str:
    if view.policy.refused:
        return "refused"
    if view.undecided:
        return f"{len(view.undecided)} undecided"
    if view.policy.in_force_since is None:
        return "taking effect"
    return "in force" if view.policy.settled else "in force, applications follow"


def _say_one(view: PolicyView) -> None:
    policy = view.policy
    say_fields(
        (
            ("policy", policy.app.name),
            ("state", _state(view)),
            ("refused", policy.refused),
            ("match", policy.match),
            ("rules", ", ".join(rule.name for rule in policy.protections)),
            ("targets", ", ".join(policy.targets)),
        )
    )
    for app in view.applications:
        say(f"matches {app}")
    for app, why in sorted(view.undecided.items()):
        say(f"no answer for {app}: {why}")
