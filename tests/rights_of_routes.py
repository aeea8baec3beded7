"""Which right every route of the API needs; `python tests/rights_of_routes.py` writes it down.

The file beside this one is for people: whoever adds a route, or changes what one needs, sees it
there and in the review. Tests compare it with the routes, and try every route with every role.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from appshield.doors.actions import ACTIONS, Action
from appshield.gateway.api.frame.rights import PUBLIC_KEY, right_of

FILE = Path(__file__).with_name("rights_of_routes.txt")
ANYONE, PUBLIC = "anyone", "public"


class RouteRight(msgspec.Struct, frozen=True, order=True):
    """What a route needs: the name of an action, `anyone` or `public`; and where."""

    path: str
    method: str
    needs: str
    where: str

    @property
    def action(self) -> Action | None:
        """The action that has to be allowed."""
        return next((one for one in ACTIONS if one.name == self.needs), None)

    def line(self) -> str:
        """Write it for people, with the least role that may."""
        role = self.action.role if self.action else "-"
        return f"{self.method:<6} {self.path:<72} {role:<8} {self.needs:<19} {self.where}"


def of_routes(application: Litestar) -> list[RouteRight]:
    """Read what the routes say."""
    return sorted(_each(application))


def read() -> list[RouteRight]:
    """Read the file."""
    lines = [line.split() for line in FILE.read_text().splitlines()]
    return sorted(RouteRight(path, method, needs, where) for method, path, _, needs, where in lines)


def _each(application: Litestar) -> Iterator[RouteRight]:
    for route in application.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                yield from _of(route, handler)


def _of(route: HTTPRoute, handler: HTTPRouteHandler) -> Iterator[RouteRight]:
    right = right_of(handler)
    needs = PUBLIC if handler.opt.get(PUBLIC_KEY) else ANYONE
    if right is not None and right.action is not None:
        needs = right.action.name
    path = route.path_format
    for method in sorted(handler.http_methods - {"OPTIONS"}):
        yield RouteRight(path, method, needs, right.where if right else "nowhere")


if __name__ == "__main__":
    from memory_bus import MemoryBus
    from rest_api import rest_api

    FILE.write_text("".join(f"{one.line()}\n" for one in of_routes(rest_api(MemoryBus()))))
    sys.stdout.write(f"{FILE} written\n")
