"""`appshield bus-user`: who else may ask on the message bus, for what, and in which namespaces."""

from typing import Annotated

from cyclopts import Parameter

from appshield.cli.options import Output
from appshield.cli.output import note, say, say_json, say_table
from appshield.cli.reaching import Reach
from appshield.doors.actions import Role
from appshield.doors.grants import Grant, user_of
from appshield.errors import InvalidInputError
from appshield.local.bus_users import add_user, own_bus, remove_user
from appshield.local.connection import read_connection

_Name = Annotated[str, Parameter(name="NAME", help="The user: a tool, a person or a team.")]


async def add(
    name: _Name,
    /,
    *,
    namespace: Annotated[
        list[str] | None,
        Parameter(
            name=("--namespace", "-n"), help="A namespace it may ask for; as often as needed."
        ),
    ] = None,
    role: Annotated[Role, Parameter(help="What it may ask for there.")] = "operator",
    signal: Annotated[
        list[str] | None, Parameter(help="A signal it may send; as often as needed.")
    ] = None,
    output: Output = "text",
) -> None:
    """Let somebody else ask on the message bus, with a key of its own; again to change what for.

    viewer hears the facts of its namespaces, operator backs up, cancels, pauses and pins, restorer
    restores and approves, admin lets versions stop to exist and keeps repositories in order.
    """
    if not namespace:
        raise InvalidInputError(
            f"user {name} has no namespace", next_step="Name one with --namespace, or several."
        )
    connection = read_connection(Reach.here().home)
    server = own_bus(connection)
    grant = Grant(
        name=name,
        role=role,
        cluster=connection.cluster,
        namespaces=tuple(dict.fromkeys(namespace)),
        signals=tuple(dict.fromkeys(signal or ())),
    )
    access = await add_user(server, grant)
    if not server.runs:
        note("the message bus does not run; the user is let in from the next `appshield up` on")
    if output == "json":
        say_json({"grant": grant, "seed_file": access.seed_file, "may": user_of(grant).publishes})
        return
    say(f"user {name}: {role} in {', '.join(grant.namespaces)}; its key is {access.seed_file}")
    for subject in user_of(grant).publishes:
        say(subject)


async def show(*, output: Output = "text") -> None:
    """List the users that were added, and what each may ask for."""
    grants = own_bus(read_connection(Reach.here().home)).granted()
    if output == "json":
        say_json(grants)
        return
    say_table(
        ("NAME", "ROLE", "NAMESPACES", "SIGNALS"),
        [(g.name, g.role, ", ".join(g.namespaces), ", ".join(g.signals)) for g in grants],
        empty="nobody was added",
    )


async def remove(name: _Name, /) -> None:
    """Put a user out, and let it in no more."""
    await remove_user(own_bus(read_connection(Reach.here().home)), name)
    say(f"user {name} removed")
