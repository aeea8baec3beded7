"""`appshield init`: a first document for a namespace, written from what runs there."""

from typing import Annotated

from cyclopts import Parameter

from appshield.cli.listing import objects_of
from appshield.cli.output import note, say
from appshield.cli.profiles import profiles_in
from appshield.cli.proposing import document_text
from appshield.cli.reaching import Reach
from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes.kinds import (
    APPLICATION,
    DAEMON_SET,
    DEPLOYMENT,
    NAMESPACE,
    PVC,
    STATEFUL_SET,
    VAULT,
)
from appshield.language.problems import DocumentError
from appshield.language.reading import read_documents


async def init(
    namespace: Annotated[
        str, Parameter(name="NAMESPACE", help="Where the application is; `default` by default.")
    ] = "default",
    /,
) -> None:
    """Write a first document for a namespace to standard output; nothing is applied."""
    async with Reach.here().cluster() as cluster:
        if await cluster.get(NAMESPACE, namespace) is None:
            raise NotFoundError(
                f"namespace {namespace} does not exist",
                next_step="`kubectl get namespaces` lists those that do.",
            )
        kinds = (STATEFUL_SET, DEPLOYMENT, DAEMON_SET, PVC)
        objects = [obj for kind in kinds for obj in await objects_of(cluster, kind, namespace)]
        there = await objects_of(cluster, APPLICATION, namespace)
        profiles = await profiles_in(cluster)
        vaults = [vault["metadata"]["name"] for vault in await objects_of(cluster, VAULT)]
    text = document_text(namespace, objects, profiles, vaults)
    try:
        read_documents(text, "the document")
    except DocumentError as error:
        raise RefusedError(
            f"no document can be written for namespace {namespace}",
            why=str(error),
            next_step="Write it by hand; README.md has an example.",
        ) from error
    say(text.rstrip())
    for obj in there:
        note(f"warning: {namespace} has the application {obj['metadata']['name']} already")
