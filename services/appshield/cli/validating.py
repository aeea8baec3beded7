"""`appshield validate`: documents checked before anything else sees them.

Every error at once, at its place; what is legal and probably not meant is a warning. A warning ends
a command that succeeds, unless `--strict` is said.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from appshield.cli.documents import Files, name_of, read_each
from appshield.cli.output import note, say, say_json
from appshield.errors import InvalidInputError
from appshield.language.advising import advise
from appshield.language.advising_together import Surroundings, advise_together
from appshield.language.kinds import Resource
from appshield.language.problems import Finding
from appshield.language.reading import Document, Reading
from appshield.language.values import seconds

WRONG = InvalidInputError.exit_code


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
    """What `validate -o json` gives."""

    documents: tuple[Valid, ...]
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    passed_over: tuple[PassedOver, ...]


async def validate(
    file: Files,
    *,
    server: Annotated[
        bool,
        Parameter(
            negative="",
            help="Let the API server check them too (a dry run), and look at what the cluster has.",
        ),
    ] = False,
    namespace: Annotated[
        str,
        Parameter(name=("--namespace", "-n"), help="For documents that name none."),
    ] = "",
    backup_takes: Annotated[
        str,
        Parameter(
            help="How long a backup takes, such as 20m: shorter promises are warned of. Default: "
            "with --server what was measured."
        ),
    ] = "",
    strict: Annotated[
        bool, Parameter(negative="", help="End with exit code 2 on warnings too.")
    ] = False,
    output: Annotated[
        Literal["text", "json"], Parameter(name=("--output", "-o"), help="Text, or JSON.")
    ] = "text",
) -> int:
    """Check documents: every error at once, each with file, line and what would be right.

    Documents of other API groups in the same files are passed over with a note. The exit code is
    2 when anything is wrong, so that it can be a pre-commit hook.
    """
    said_s = seconds(backup_takes) if backup_takes else 0
    takes_s = _always(said_s)
    readings = list(read_each(file))
    documents = [one for _, reading in readings for one in reading.documents]
    around = Surroundings(namespace=namespace or "default")
    refused: list[Finding] = []
    if server:
        from appshield.cli.measured import measured_backups
        from appshield.cli.surroundings import look_around

        around, refused = await look_around(documents, namespace or "default")
        if not said_s:
            takes_s = (await measured_backups(namespace or "default")).takes_s
    errors = [error for _, reading in readings for error in reading.errors]
    report = Report(
        documents=tuple(map(_valid, documents)),
        errors=(*errors, *refused),
        warnings=tuple(_warnings(documents, around, takes_s)),
        passed_over=tuple(_passed_over(readings)),
    )
    if output == "json":
        say_json(report)
    else:
        _say(report)
    return WRONG if report.errors or (strict and report.warnings) else 0


def _warnings(
    documents: list[Document], around: Surroundings, takes_s: Callable[[Resource], float]
) -> list[Finding]:
    now = datetime.now(UTC)
    found = [
        document.finding(problem)
        for document in documents
        for problem in advise(document.resource, now, backup_takes_s=takes_s(document.resource))
    ]
    together = advise_together(tuple(one.resource for one in documents), around)
    found += [documents[one.document].finding(one.problem) for one in together]
    return sorted(found, key=lambda one: (one.file, one.line, one.column))


def _always(said_s: float) -> Callable[[Resource], float]:
    def takes_s(_: Resource) -> float:
        return said_s

    return takes_s


def _valid(document: Document) -> Valid:
    meta = document.resource.metadata
    kind = type(document.resource).__name__
    return Valid(document.origin, document.line, kind, meta.namespace, meta.name)


def _passed_over(readings: list[tuple[str, Reading]]) -> list[PassedOver]:
    return [
        PassedOver(one.origin, one.line, str(one.object["apiVersion"]), one.object["kind"])
        for _, reading in readings
        for one in reading.foreign
    ]


def _say(report: Report) -> None:
    wrong = {(error.file, error.line) for error in report.errors}
    for one in report.documents:
        if (one.file, one.line) not in wrong:
            say(f"{one.file}:{one.line}: {_named(one)} is valid")
    for other in report.passed_over:
        note(f"{other.file}:{other.line}: note: {other.kind} of {other.api_version} passed over")
    for warning in report.warnings:
        note(f"{warning.place}: warning: {warning.said}")
    for error in report.errors:
        note(str(error))
    if not (report.documents or report.errors):
        note("no document of AppShield was found")


def _named(one: Valid) -> str:
    obj: dict[str, Any] = {
        "kind": one.kind,
        "metadata": {"name": one.name, "namespace": one.namespace},
    }
    return name_of(obj)
