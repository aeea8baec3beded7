"""Answers of routes that the OpenAPI document has to name beside the usual ones."""

from litestar.openapi.datastructures import ResponseSpec

from appshield.gateway.api.frame.problems import MEDIA_TYPE, Problem


def problem(text: str) -> ResponseSpec:
    """Describe problem details; `text` says when they come."""
    return ResponseSpec(Problem, media_type=MEDIA_TYPE, description=text, generate_examples=False)


REFUSED = {409: problem("It cannot be done in the present state.")}
UNCHANGED = {304: ResponseSpec(None, description="It is as `If-None-Match` names it.")}
FROM_VAULT = {
    **REFUSED,
    502: problem("What is stored does not verify."),
}
"""Of what is read from a Vault."""
