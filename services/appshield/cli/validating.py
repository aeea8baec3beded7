"""`appshield validate`: documents checked before anything else sees them.

Every error at once, at its place; what is legal and probably not meant is a warning. A warning ends
a command that succeeds, unless `--strict` is said; a note changes no exit code.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from appshield.cli.documents import Files, name_of, read_each
from appshield.cli.output import note, say, say_json
from appshield.cli.reaching import Reach
from appshield.doors.measured import Measured
from appshield.doors.records import applications
from appshield.doors.validating import Report, Valid, report
from appshield.errors import AppShieldError, DeniedError, InvalidInputError
from appshield.language.advising import Took
from appshield.language.advising_together import Surroundings
from appshield.language.kinds import Resource
from appshield.language.problems import Finding
from appshield.language.reading import Document
from appshield.language.values import seconds

WRONG = InvalidInputError.exit_code


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
            "with --server what was measured, as of restores."
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

    Documents of other API groups in the same files are passed over with a note, but for what those
    of other frameworks ask of AppShield. The exit code is 2 when anything is wrong, so that it can
    be a pre-commit hook.
    """
    said_s = seconds(backup_takes) if backup_takes else 0
    measured = Measured(namespace=namespace or "default")
    readings = [reading for _, reading in read_each(file)]
    documents = [one for reading in readings for one in reading.documents]
    around = Surroundings(namespace=namespace or "default")
    refused: list[Finding] = []
    if server:
        around, refused = await _look_around(documents, namespace or "default")
        measured = await _measured(namespace or "default")

    def took(resource: Resource) -> Took:
        found = measured.took(resource)
        return found._replace(backup_s=said_s) if said_s else found

    told = report(readings, around, refused=refused, took=took, now=datetime.now(UTC))
    if output == "json":
        say_json(told)
    else:
        _say(told)
    return WRONG if told.errors or (strict and told.warnings) else 0


async def _look_around(
    documents: list[Document], namespace: str
) -> tuple[Surroundings, list[Finding]]:
    """Ask the cluster what it has and what it refuses; a person is told what was not looked at."""
    from appshield.doors.surroundings import refusals, surroundings

    async with Reach.here().cluster() as cluster:
        refused = await refusals(cluster, documents, namespace)
        try:
            return await surroundings(cluster, documents, namespace), refused
        except DeniedError as error:
            note(f"warning: the cluster was not looked at: {error}")
            return Surroundings(namespace=namespace), refused


async def _measured(namespace: str) -> Measured:
    """Ask the planner's records; a person is told when they cannot be reached."""
    reach = Reach.here()
    try:
        async with reach.bus() as bus:
            cluster = await reach.cluster_name(bus)
            found = await applications(bus)
    except AppShieldError as error:
        note(f"note: how long backups and restores take is not known: {error}")
        return Measured(namespace=namespace)
    active = [one for one in found if one.state == "active" and one.app.cluster == cluster]
    return Measured(records=active, namespace=namespace)


def _say(report: Report) -> None:
    wrong = {(error.file, error.line) for error in report.errors}
    for one in report.documents:
        if (one.file, one.line) not in wrong:
            say(f"{one.file}:{one.line}: {_named(one)} is valid")
    for other in report.passed_over:
        note(f"{other.file}:{other.line}: note: {other.kind} of {other.api_version} passed over")
    for one_note in report.notes:
        note(f"{one_note.place}: note: {one_note.said}")
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
