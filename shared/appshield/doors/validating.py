"""What is wrong with documents, and what is legal and probably not meant. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from appshield.language.advising import Took, advise, notes
from appshield.language.advising_together import Surroundings, advise_together
from appshield.language.kinds import Resource
from appshield.language.problems import Finding
from appshield.language.reading import Document, Reading


class Valid(msgspec.Struct, frozen=True):
    """A document in which nothing is wrong."""

    file: str
    line: int
    kind: str
    namespace: str
    name: str


class PassedOver(msgspec.Struct, frozen=True):
    """A document of another API group."""

    file: str
    line: int
    api_version: str
    kind: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is to be said about some documents, each thing at its place."""

    documents: tuple[Valid, ...]
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    passed_over: tuple[PassedOver, ...]


def report(
    readings: Sequence[Reading],
    around: Surroundings,
    *,
    refused: Iterable[Finding],
    took: Callable[[Resource], Took],
    now: datetime,
) -> Report:
    """Judge what was read.

    Args:
        readings: one for each text.
        around: what the cluster has beside the documents.
        refused: what an API server refuses of them.
        took: how long backups and restores take that a document is about.
        now: an aware time.
    """
    documents = [one for reading in readings for one in reading.documents]
    errors = [error for reading in readings for error in reading.errors]
    return Report(
        documents=tuple(map(_valid, documents)),
        errors=(*errors, *refused),
        warnings=tuple(_warnings(documents, around, took, now)),
        notes=tuple(one.finding(problem) for one in documents for problem in notes(one.resource)),
        passed_over=tuple(
            PassedOver(one.origin, one.line, str(one.object["apiVersion"]), one.object["kind"])
            for reading in readings
            for one in reading.foreign
        ),
    )


def _warnings(
    documents: Sequence[Document],
    around: Surroundings,
    took: Callable[[Resource], Took],
    now: datetime,
) -> list[Finding]:
    found = [
        document.finding(problem)
        for document in documents
        for problem in advise(document.resource, now, took=took(document.resource))
    ]
    together = advise_together(tuple(one.resource for one in documents), around)
    found += [documents[one.document].finding(one.problem) for one in together]
    return sorted(found, key=lambda one: (one.file, one.line, one.column))


def _valid(document: Document) -> Valid:
    meta = document.resource.metadata
    kind = type(document.resource).__name__
    return Valid(document.origin, document.line, kind, meta.namespace, meta.name)
