"""Bodies of requests that hold documents: YAML or JSON, as a person or a tool writes them.

They are read by the language itself, which knows the line and column of whatever is wrong; the web
framework would only say that a body is no JSON.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from appshield.gateway.api.frame.problems import FieldProblem, UnprocessableError
from appshield.language.problems import Finding
from appshield.language.reading import Document, read_text

YAML = "application/yaml"
JSON = "application/json"
ORIGIN = "document"
"""What findings call a text that has no file."""


class StoredDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document as it stands in the cluster, with its status; `etag` names its state.

    It may be sent back as it is, with what was changed in its document.
    """

    etag: str
    document: dict[str, Any]


def _body() -> RequestBody:
    example = (
        "apiVersion: appshield.io/v1alpha1\n"
        "kind: Policy\n"
        "metadata: { name: gold }\n"
        "spec:\n"
        "  match: app.criticality == 'gold'\n"
        "  protect:\n"
        '    - { name: nightly, "on": { schedule: "30 2 * * *" }, keep: { daily: 30 } }\n'
    )
    written = read_text(example, ORIGIN).documents[0].object
    schema = Schema(type=OpenAPIType.STRING, description="The text of the documents.")
    return RequestBody(
        required=True,
        description="Documents of AppShield, in YAML 1.2 or JSON.",
        content={
            YAML: OpenAPIMediaType(schema=schema, example=example),
            JSON: OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT), example=written),
        },
    )


@dataclass
class TakesDocuments(Operation):
    """An operation whose body is the text of documents."""

    def __post_init__(self) -> None:
        """Say so in the OpenAPI document, as the route takes bytes."""
        self.request_body = _body()


def unwrapped(body: bytes) -> tuple[bytes, str]:
    """Take the document out of what reading one gave; return it with the state that this names."""
    try:
        read = msgspec.json.decode(body, type=StoredDocument)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return body, ""
    return msgspec.json.encode(read.document), read.etag


def the_document(body: bytes) -> Document:
    """Read a body that has to hold one document of AppShield.

    Raises:
        UnprocessableError: it holds none, several, or one in which something is wrong; says what is
            wrong at which line and column.
    """
    reading = read_text(body, ORIGIN)
    findings = [*reading.errors, *(one.finding for one in reading.foreign)]
    if not findings and len(reading.documents) != 1:
        raise UnprocessableError(
            f"the body holds {len(reading.documents)} documents",
            why="this is about one",
            next_step="Send each document by itself.",
        )
    if findings:
        raise invalid(findings)
    return reading.documents[0]


def invalid(findings: list[Finding]) -> UnprocessableError:
    """Return the error that tells findings, each at its line and column."""
    return UnprocessableError(
        "the document is not valid",
        why=findings[0].said,
        next_step="Correct it; POST /documents/validate tells everything that is wrong.",
        fields=tuple(
            FieldProblem(
                field=one.field,
                problem=f"{one.wrong}; {one.right}",
                line=one.line,
                column=one.column,
            )
            for one in findings
        ),
    )
