"""`appshield init`: a first document for a namespace, written from what runs there."""

from typing import Annotated

from cyclopts import Parameter

from appshield.cli.output import note, say
from appshield.cli.reaching import Reach
from appshield.doors.starting import first_document


async def init(
    namespace: Annotated[
        str, Parameter(name="NAMESPACE", help="Where the application is; `default` by default.")
    ] = "default",
    /,
) -> None:
    """Write a first document for a namespace to standard output; nothing is applied."""
    async with Reach.here().cluster() as cluster:
        found = await first_document(cluster, namespace)
    for problem in found.problems:
        note(f"warning: {problem}")
    say(found.text.rstrip())
    for name in found.applications:
        note(f"warning: {namespace} has the application {name} already")
