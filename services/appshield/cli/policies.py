"""`appshield policies`: which policies there are, and which applications they match."""

from typing import Annotated

import msgspec
from cyclopts import Parameter

from appshield.cli.options import Output
from appshield.cli.output import say, say_fields, say_json, say_table
from appshield.cli.reaching import Reach
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord
from appshield.doors.records import applications, policies_of
from appshield.errors import NotFoundError

_MATCH_CHARACTERS = 60


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """What `policies -o json` gives of each: the policy, what it matches, where it has no answer.

    `undecided` gives the reason for each application.
    """

    policy: PolicyRecord
    applications: tuple[str, ...]
    undecided: dict[str, str]


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
    views = [_view(policy, active) for policy in known if name in {"", policy.app.name}]
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


def _view(policy: PolicyRecord, active: list[ApplicationRecord]) -> PolicyView:
    name = policy.app.name
    here = [one for one in active if one.app.cluster == policy.app.cluster]
    return PolicyView(
        policy=policy,
        applications=tuple(str(one.app) for one in here if name in one.policies),
        undecided={str(one.app): one.undecided[name] for one in here if name in one.undecided},
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
    return "in force" if view.policy.settled else "taking effect"


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
