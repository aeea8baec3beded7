"""The id of a request: on its answer, in its problems and in the log.

A caller's own id is kept where it is a plain one; else it is minted.
"""

import uuid

from litestar.types import Message, Scope

HEADER = "X-Request-Id"
_CHARACTERS_MAX = 64
_KEY = "request_id"


def request_id(scope: Scope) -> str:
    """Return the id of a request; it is the same for the whole request."""
    state = scope["state"]
    if _KEY not in state:
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"")
        text = given.decode("ascii", "ignore")
        plain = text.replace("-", "").isalnum() and len(text) <= _CHARACTERS_MAX
        state[_KEY] = text if plain else str(uuid.uuid4())
    return str(state[_KEY])


async def name_request(message: Message, scope: Scope) -> None:
    """Put the request's id on the answer."""
    if message["type"] == "http.response.start":
        header = (HEADER.lower().encode(), request_id(scope).encode())
        message["headers"] = [*message["headers"], header]
