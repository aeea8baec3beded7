"""Every command and its twin in the REST API: what a person can do, a tool can do as well.

Commands without a twin are about this machine or its files, and each says why.
"""

from collections.abc import Iterable, Iterator, Mapping

from appshield.gateway.api.application import PATH, document

APPLICATION = "/applications/{namespace}/{name}"
DOCUMENT = "/documents/{kind}/{namespace}/{name}"
VERSION = f"{APPLICATION}/versions/{{number}}"

TWINS: Mapping[str, tuple[str, ...]] = {
    "init": ("GET /unprotected", "GET /unprotected/{namespace}"),
    "apply": ("PUT /documents/{kind}/{namespace}/{name}", "POST /documents/preview"),
    "explain": (f"GET {APPLICATION}/explanation", f"GET {APPLICATION}/model"),
    "validate": ("POST /documents/validate",),
    "schema": ("GET /schemas/{kind}",),
    "backup": (f"POST {APPLICATION}/backups",),
    "gate": (f"POST {APPLICATION}/gate", f"GET {VERSION}/standing"),
    "restore": (f"POST {APPLICATION}/restores", "GET /runs/{run}/plan"),
    "approve": ("POST /runs/{run}/approve",),
    "cancel": ("POST /runs/{run}/cancel",),
    "pause": (f"POST {APPLICATION}/pause",),
    "resume": (f"POST {APPLICATION}/resume",),
    "apps": ("GET /applications",),
    "status": (f"GET {APPLICATION}", f"GET {APPLICATION}/effective-policies"),
    "policies": ("GET /policies", "GET /policies/{name}"),
    "profiles": ("GET /profiles",),
    "profile": ("GET /documents/{kind}/{namespace}/{name}",),
    "versions": (f"GET {APPLICATION}/versions", f"GET {APPLICATION}/retention"),
    "version": (f"GET {VERSION}",),
    "revisions": (
        f"GET {APPLICATION}/revisions",
        f"GET {APPLICATION}/revisions/{{digest}}",
        f"GET {APPLICATION}/revisions/diff",
        f"GET {DOCUMENT}/revisions",
        f"GET {DOCUMENT}/revisions/{{digest}}",
        f"GET {DOCUMENT}/revisions/diff",
    ),
    "ls": (f"GET {VERSION}/files", f"GET {VERSION}/parts", f"GET {VERSION}/objects"),
    "find": (f"GET {VERSION}/files",),
    "diff": (f"GET {VERSION}/diff/{{other}}",),
    "dump": (f"GET {VERSION}/content",),
    "runs": ("GET /runs",),
    "run": ("GET /runs/{run}", "GET /runs/{run}/progress"),
    "logs": ("GET /runs/{run}/logs",),
    "events": (f"GET {APPLICATION}/events", "GET /events"),
    "report": ("GET /reports/objectives",),
    "forget": (f"DELETE {VERSION}",),
    "delete": (f"DELETE {VERSION}",),
    "copy": (f"POST {VERSION}/copies",),
    "pin": (f"PUT {VERSION}/pin",),
    "unpin": (f"DELETE {VERSION}/pin",),
    "rebuild-catalog": ("POST /vaults/{vault}/rebuild",),
    "vault add": ("PUT /documents/{kind}/{namespace}/{name}",),
    "vault check": ("GET /vaults/{vault}", f"POST {APPLICATION}/maintenance"),
    "vault prune": (f"POST {APPLICATION}/maintenance",),
    "vault repair": (f"POST {APPLICATION}/maintenance",),
    "vault stats": ("GET /vaults", "GET /vaults/{vault}"),
    "audit list": ("GET /audit",),
    "audit export": ("GET /audit/export",),
    "audit verify": ("GET /audit/verification",),
    "health": ("GET /health",),
    "dead list": ("GET /dead-letters",),
    "dead replay": ("POST /dead-letters/{number}/replay",),
}
WITHOUT: Mapping[str, str] = {
    "up": "starts the services of this machine",
    "web": "opens the web interface, which stands on the API",
    "down": "is for services that are stopped",
    "demo": "sets all up on this machine",
    "cluster up": "makes a cluster on this machine",
    "cluster down": "stops the cluster of this machine",
    "cluster status": "shows the cluster of this machine",
    "vault export-key": "reads a key that no service gives away",
    "vault password": "reads a password that no service gives away",
    "bus-user add": "writes keys of the message bus on this machine",
    "bus-user list": "reads keys of the message bus on this machine",
    "bus-user remove": "removes keys of the message bus on this machine",
}


def routes() -> Iterator[tuple[str, str, str]]:
    """List every route as `METHOD /path`, with its summary and its right in words."""
    for path, item in document("")["paths"].items():
        for method, operation in item.items():
            if not isinstance(operation, dict):
                continue
            _, needs, right = operation.get("description", "").rpartition("Needs the right to ")
            route = f"{method.upper()} {path.removeprefix(PATH)}"
            yield route, operation.get("summary", ""), right.partition(",")[0] if needs else ""


_HEAD = f"""\
Below `{PATH}`; `openapi.json` beside this page says all of it to programs, and the gateway serves
it at `{PATH}/docs`. This page is written by `poe rest` and compared by a test. A right is asked for
in the namespace of the application, or in the whole cluster where there is none in the path."""


def page() -> str:
    """Write the page of all routes and commands."""
    commands: dict[str, list[str]] = {}
    for command, twins in TWINS.items():
        for twin in twins:
            commands.setdefault(twin, []).append(command)
    rows = [
        (f"`{route}`", summary, needs, ", ".join(f"`{one}`" for one in commands.get(route, ())))
        for route, summary, needs in routes()
    ]
    without = [(f"`{command}`", why) for command, why in WITHOUT.items()]
    return (
        "\n\n".join(
            (
                "# The REST API",
                _HEAD,
                "## Routes",
                _table(("route", "what for", "right", "commands"), rows),
                "## Commands without a route",
                _table(("command", "why"), without),
            )
        )
        + "\n"
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
