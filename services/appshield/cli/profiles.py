"""`appshield profiles` and `profile`: how each type of component is saved, to read and to copy."""

import textwrap
from typing import Annotated

import yaml
from cyclopts import Parameter

from appshield.cli.options import Output
from appshield.cli.output import note, say, say_json, say_table
from appshield.cli.reaching import Reach
from appshield.doors.profiles import origin_of, profiles_in, status_of
from appshield.errors import NotFoundError, UnavailableError
from appshield.kubernetes import Cluster
from appshield.language.kinds import Profile, document
from appshield.language.profiles import Profiles, shipped_document, shipped_profiles

TypeName = Annotated[str, Parameter(name="NAME", help="The type, such as database/postgresql.")]


async def profiles(*, output: Output = "text") -> None:
    """List the profiles that hold in the cluster, or without a cluster those that are shipped."""
    found = await profiles_here()
    if output == "json":
        say_json([document(profile) for profile in found.all()])
        return
    say_table(
        ("TYPE", "STATUS", "FROM", "STRATEGY", "DUMP", "IMAGES"),
        [_row(profile, found) for profile in found.all()],
        empty="there is no profile",
    )


async def profile(name: TypeName, /, *, output: Output = "text") -> None:
    """Show one profile as the document that it is; change the copy and apply it to override it."""
    found = await profiles_here()
    wanted = found.of(name)
    if wanted is None:
        raise NotFoundError(
            f"there is no profile {name}",
            why=f"known are {', '.join(one.spec.type for one in found.all())}",
            next_step="`appshield profiles` lists them; a document of kind Profile adds one.",
        )
    if output == "json":
        say_json(document(wanted))
        return
    note(f"status: {status_of(wanted)}; {origin_of(wanted, found)}")
    if text := wanted.spec.description:
        note(textwrap.fill(text, 100))
    if found.is_shipped(name):
        say(shipped_document(name).rstrip())
    else:
        say(yaml.safe_dump(document(wanted), sort_keys=False, allow_unicode=True).rstrip())


async def profiles_here() -> Profiles:
    """Return the profiles that hold in the cluster; a person is told when there is none to ask."""
    try:
        async with Reach.here().cluster() as cluster:
            return await _profiles_in(cluster)
    except (NotFoundError, UnavailableError) as error:
        note(f"only profiles that are shipped are known here: {error}")
        return shipped_profiles()


async def _profiles_in(cluster: Cluster) -> Profiles:
    """Return the profiles that hold in a cluster; a person is told of those that do not count."""
    found, problems = await profiles_in(cluster)
    for problem in problems:
        note(f"warning: {problem}")
    return found


def _row(profile: Profile, found: Profiles) -> tuple[str, ...]:
    spec = profile.spec
    return (
        spec.type,
        status_of(profile),
        "shipped" if found.is_shipped(spec.type) else profile.metadata.name,
        spec.strategy or "",
        "yes" if spec.dump is not None else "",
        ", ".join(spec.images[:3]),
    )
