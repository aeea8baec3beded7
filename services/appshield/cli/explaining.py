"""`appshield explain`: what a document means, before it is applied or after."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import yaml
from cyclopts import Parameter

from appshield.cli.documents import STANDARD_INPUT, read_files
from appshield.cli.explanation_text import text_of
from appshield.cli.options import Namespace
from appshield.cli.output import note, say, say_json
from appshield.cli.reaching import Reach
from appshield.doors.explaining import explained, explained_object
from appshield.doors.explanation import Document, Explanation, explained_document
from appshield.doors.listing import objects_of
from appshield.doors.naming import Wanted, wanted
from appshield.errors import InvalidInputError, NotFoundError, UnavailableError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import APPLICATION
from appshield.language.kinds import Application, document
from appshield.language.profiles import shipped_profiles
from appshield.language.resolving import resolve

Format = Annotated[
    Literal["text", "json", "yaml"],
    Parameter(name=("--output", "-o"), help="Text, or the resolved model as JSON or YAML."),
]


async def explain(
    app: Annotated[str, Parameter(name="APP", help="The application: [NAMESPACE/]NAME.")] = "",
    /,
    *,
    file: Annotated[
        str,
        Parameter(name=("--file", "-f"), help="A document that need not be applied; - is input."),
    ] = "",
    namespace: Namespace = "",
    output: Format = "text",
) -> None:
    """Show what a document means: origins, times, contents, consistency, what is missing."""
    if bool(app) == bool(file):
        raise InvalidInputError(
            "one application is explained, or one file",
            why="both were given" if app else "neither was given",
            next_step="Write `appshield explain APP` or `appshield explain -f FILE`.",
        )
    now = datetime.now(UTC)
    found = await (
        _of_file(file, namespace, now) if file else _of_application(wanted(app, namespace), now)
    )
    if output == "json":
        say_json(found if len(found) > 1 else found[0])
    elif output == "yaml":
        data = [msgspec.json.decode(msgspec.json.encode(one)) for one in found]
        say(yaml.safe_dump_all(data, sort_keys=False, allow_unicode=True).rstrip())
    else:
        for one in found:
            for line in text_of(one):
                say(line)


async def _of_application(want: Wanted, now: datetime) -> list[Explanation]:
    async with Reach.here().cluster() as cluster:
        return [await explained_object(cluster, await _wanted_object(cluster, want), now)]


async def _of_file(file: str, namespace: str, now: datetime) -> list[Explanation]:
    applications = [
        (one.origin, _placed(one.resource, namespace))
        for one in read_files([file])
        if isinstance(one.resource, Application)
    ]
    name = "standard input" if file == STANDARD_INPUT else file
    if not applications:
        raise InvalidInputError(
            f"{name} holds no Application", next_step="Only those can be explained."
        )
    try:
        async with Reach.here().cluster() as cluster:
            return [
                await explained(
                    cluster, document(one), one, Document(told=f"{origin}, not applied"), now
                )
                for origin, one in applications
            ]
    except (NotFoundError, UnavailableError) as error:
        note(f"without a cluster only the document itself is explained: {error}")
    profiles = shipped_profiles()
    return [
        explained_document(resolve(one, profiles), profiles, Document(told=origin), now=now)
        for origin, one in applications
    ]


def _placed(application: Application, namespace: str) -> Application:
    """Give a document that names no namespace the one of the command."""
    meta = application.metadata
    placed = msgspec.structs.replace(meta, namespace=meta.namespace or namespace or "default")
    return msgspec.structs.replace(application, metadata=placed)


async def _wanted_object(cluster: Cluster, want: Wanted) -> Object:
    named = [
        obj
        for obj in await objects_of(cluster, APPLICATION, want.namespace)
        if obj["metadata"]["name"] == want.name
    ]
    if not named:
        raise NotFoundError(
            f"there is no application {want}",
            why="the cluster has no Application object of that name",
            next_step="`appshield explain -f FILE` explains a document before it is applied.",
        )
    if len(named) > 1:
        places = ", ".join(sorted(obj["metadata"]["namespace"] for obj in named))
        raise InvalidInputError(
            f"there are several applications {want}",
            why=f"in the namespaces {places}",
            next_step="Write NAMESPACE/NAME.",
        )
    return named[0]
