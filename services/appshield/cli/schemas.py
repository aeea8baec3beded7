"""`appshield schema`: what documents may say, for editors."""

from typing import Annotated

from cyclopts import Parameter

from appshield.cli.output import say_json
from appshield.errors import NotFoundError
from appshield.language.json_schema import schema_of, schema_of_all
from appshield.language.kinds import KINDS
from appshield.language.shape import suggestion


def schema(
    kind: Annotated[
        str, Parameter(name="KIND", help="One kind, such as Application. Default: all of them.")
    ] = "",
    /,
) -> None:
    """Print the JSON Schema of documents, for an editor that completes and checks them."""
    if not kind:
        say_json(schema_of_all())
        return
    named = next((one for one in KINDS if one.lower() == kind.lower()), None)
    if named is None:
        raise NotFoundError(
            f"{kind[:60]!r} is not a kind of AppShield", why=suggestion(kind, list(KINDS))
        )
    say_json(schema_of(named))
