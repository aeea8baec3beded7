"""What is wrong with documents, and what is legal and probably not meant. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from appshield.language.adapters.files import find_foreign_problems
from appshield.language.advising import Took, advise, notes
from appshield.language.advising_together import Surroundings, advise_together
from appshield.language.kinds import Resource
from appshield.language.problems import Finding
from appshield.language.reading import Document, ForeignDocument, Reading


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
    foreign = [one for reading in readings for one in reading.foreign]
    return Report(
        documents=tuple(map(_valid, documents)),
        errors=(*errors, *_foreign(foreign, around.namespace), *refused),
        warnings=tuple(_warnings(documents, around, took, now)),
        notes=tuple(one.finding(problem) for one in documents for problem in notes(one.resource)),
        passed_over=tuple(
            PassedOver(one.origin, one.line, str(one.object["apiVersion"]), one.object["kind"])
            for one in foreign
        ),
    )


def _foreign(documents: Sequence[ForeignDocument], namespace: str) -> Iterator[Finding]:
    """Judge what documents of other frameworks ask of AppShield."""
    for document in documents:
        place = document.asking_place
        for problem in find_foreign_problems(document.object, namespace):
            wrong, _, right = problem.partition("; ")
            yield Finding(
                document.origin,
                place.line,
                place.column,
                "asks for protection",
                wrong,
                right or "correct it",
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
