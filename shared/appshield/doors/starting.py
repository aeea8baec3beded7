"""A first document for a namespace, written from what runs there."""

from collections.abc import Iterable, Sequence

import msgspec

from appshield.doors.listing import objects_of
from appshield.doors.profiles import profiles_in
from appshield.doors.proposing import document_text
from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes import Cluster, Object
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
from appshield.language.profiles import Profiles
from appshield.language.reading import read_documents

WORKLOADS = (STATEFUL_SET, DEPLOYMENT, DAEMON_SET)


class FirstDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed document; `applications` are there already, `problems` are those of profiles."""

    text: str
    applications: tuple[str, ...]
    problems: tuple[str, ...]


async def first_document(cluster: Cluster, namespace: str) -> FirstDocument:
    """Read what runs in a namespace and write a document for it; nothing is applied.

    Raises:
        NotFoundError: there is no such namespace.
        RefusedError: no document can be written.
    """
    if await cluster.get(NAMESPACE, namespace) is None:
        raise NotFoundError(
            f"namespace {namespace} does not exist",
            next_step="`kubectl get namespaces` lists those that do.",
        )
    objects = [
        obj for kind in (*WORKLOADS, PVC) for obj in await objects_of(cluster, kind, namespace)
    ]
    there = await objects_of(cluster, APPLICATION, namespace)
    profiles, problems = await profiles_in(cluster)
    vaults = [vault["metadata"]["name"] for vault in await objects_of(cluster, VAULT)]
    return FirstDocument(
        text=proposed_text(namespace, objects, profiles, vaults),
        applications=tuple(obj["metadata"]["name"] for obj in there),
        problems=tuple(problems),
    )


def proposed_text(
    namespace: str, objects: Iterable[Object], profiles: Profiles, vaults: Sequence[str]
) -> str:
    """Write the document; it is always one that is accepted.

    Raises:
        RefusedError: what is there has names that no document can hold.
    """
    text = document_text(namespace, objects, profiles, vaults)
    try:
        read_documents(text, "the document")
    except DocumentError as error:
        raise RefusedError(
            f"no document can be written for namespace {namespace}",
            why=str(error),
            next_step="Write it by hand; README.md has an example.",
        ) from error
    return text
