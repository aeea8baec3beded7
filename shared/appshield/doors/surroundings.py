"""What a cluster says to documents: the API server's dry run, and what there is beside them."""

import re
from collections.abc import Iterable

from appshield.errors import AppShieldError, InvalidInputError, UnavailableError
from appshield.kubernetes import Cluster
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import (
    APPLICATION,
    BACKUP,
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POLICY,
    PROFILE,
    RESTORE,
    STATEFUL_SET,
    VAULT,
)
from appshield.language.advising_together import Place, Surroundings, Workload
from appshield.language.kinds import Application, Resource
from appshield.language.object_reading import read_object
from appshield.language.problems import Finding, Path, Problem
from appshield.language.reading import Document

OUR_KINDS = {kind.kind: kind for kind in (APPLICATION, POLICY, PROFILE, VAULT, BACKUP, RESTORE)}
_WORKLOADS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB)
_FIELD = re.compile(r"\b(?:spec|metadata)(?:\.[A-Za-z0-9_-]+|\[[0-9]+\])*")
_STEP = re.compile(r"[A-Za-z0-9_-]+")


async def refusals(
    cluster: Cluster, documents: Iterable[Document], namespace: str
) -> list[Finding]:
    """Return what the API server refuses of documents, which it is not to keep.

    Those that name no namespace are meant for `namespace`.

    Raises:
        NotFoundError: the cluster does not know AppShield's kinds.
        UnavailableError: the cluster cannot be reached.
    """
    return [
        finding
        for document in documents
        if (finding := await _refusal(cluster, document, namespace)) is not None
    ]


async def _refusal(cluster: Cluster, document: Document, namespace: str) -> Finding | None:
    """Ask the API server to take a document without keeping it."""
    body = document.object
    kind = OUR_KINDS[body["kind"]]
    if kind.namespaced:
        body["metadata"].setdefault("namespace", namespace)
    try:
        await cluster.apply(kind, body, dry_run=True)
    except (NotServedError, UnavailableError):
        raise
    except AppShieldError as error:
        said = error.why or error.what
        wrong = f"the API server refuses it: {said}"
        right = error.next_step.rstrip(".") or "correct it"
        return document.finding(Problem(_path(said), wrong, right[:1].lower() + right[1:]))
    return None


def _path(said: str) -> Path:
    """Return the field that an API server speaks of; the whole document where it names none."""
    found = _FIELD.search(said)
    steps = _STEP.findall(found[0]) if found else []
    return tuple(int(step) if step.isdecimal() else step for step in steps)


async def surroundings(
    cluster: Cluster, documents: Iterable[Document], namespace: str
) -> Surroundings:
    """Return what the cluster has beside documents.

    Raises:
        DeniedError: the caller may not look at some of it.
    """
    resources = [
        resource
        for kind in (APPLICATION, POLICY, VAULT)
        for obj in await cluster.list(kind)
        if (resource := _accepted(obj)) is not None
    ]
    places = sorted(
        {
            document.resource.metadata.namespace or namespace
            for document in documents
            if isinstance(document.resource, Application)
        }
    )
    workloads = [
        Workload(kind.kind, Place(place, obj["metadata"]["name"]))
        for place in places
        for kind in _WORKLOADS
        for obj in await cluster.list(kind, namespace=place)
    ]
    return Surroundings(
        cluster=True,
        namespace=namespace,
        resources=tuple(resources),
        workloads=frozenset(workloads),
    )


def _accepted(obj: dict[str, object]) -> Resource | None:
    try:
        return read_object(obj)
    except InvalidInputError:
        return None
