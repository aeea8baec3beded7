"""Which kinds the API server serves, asked in two requests and remembered.

Aggregated discovery, served since Kubernetes 1.27.
Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from appshield.errors import InvalidInputError, NotFoundError, RefusedError
from appshield.kubernetes.kinds import Kind, Object
from appshield.kubernetes.requests import JSON, Call, Requests

ACCEPT = ",".join(
    [f"{JSON};g=apidiscovery.k8s.io;v={v};as=APIGroupDiscoveryList" for v in ("v2", "v2beta1")]
    + [JSON]
)


class Served(msgspec.Struct, frozen=True):
    """What one look at the API server found."""

    preferred: tuple[Kind, ...]
    """Listable kinds, each in the version that the server prefers."""
    every: tuple[Kind, ...]
    """All kinds in all versions, listable or not."""
    unavailable_groups: tuple[str, ...]
    """Groups whose own server does not answer: their kinds exist but cannot be read now."""


class Discovery:
    """The kinds of one API server, fetched on first use and on `refresh`."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._served: Served | None = None
        self._asking = asyncio.Lock()

    async def served(self) -> Served:
        """Return what is served, from memory where possible."""
        async with self._asking:
            if self._served is None:
                documents = await asyncio.gather(self._ask("/api"), self._ask("/apis"))
                self._served = _served(documents)
            return self._served

    def refresh(self) -> None:
        """Forget, so that the next question asks the server."""
        self._served = None

    async def kind_of(self, api_version: str, kind: str) -> Kind:
        """Return the kind that an object's `apiVersion` and `kind` name.

        A miss asks the server once more, as its CustomResourceDefinition may be new. Raises
        NotFoundError when it is not served.
        """
        for _ in range(2):
            for candidate in (await self.served()).every:
                if candidate.kind == kind and candidate.api_version == api_version:
                    return candidate
            self.refresh()
        raise _unknown(f"{kind} of {api_version}")

    async def kind_named(self, name: str) -> Kind:
        """Return the kind of `deployments.apps`, `pods`, or a plural that only one group has.

        Raises NotFoundError when there is none, InvalidInputError when several groups have it.
        """
        plural, _, group = name.partition(".")
        for _ in range(2):
            found = [kind for kind in (await self.served()).preferred if kind.plural == plural]
            exact = [kind for kind in found if kind.group == group]
            if exact:
                return exact[0]
            if not group and len(found) > 1:
                raise InvalidInputError(
                    f"{name} is ambiguous",
                    why="the cluster has " + ", ".join(kind.resource for kind in found),
                    next_step="Name one of them.",
                )
            if not group and found:
                return found[0]
            self.refresh()
        raise _unknown(name)

    async def _ask(self, path: str) -> Object:
        call = Call(method="GET", path=path, doing=f"discover kinds at {path}", accept=ACCEPT)
        document = await self._requests.send(call)
        if document.get("kind") != "APIGroupDiscoveryList":
            raise RefusedError(
                f"the API server {self._requests.connection.server} is too old",
                why="it has no aggregated discovery",
                next_step="AppShield needs Kubernetes 1.27 or newer.",
            )
        return document


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        f"the cluster knows no kind {name}",
        next_step="`kubectl api-resources` lists what it knows.",
    )


def _served(documents: Iterable[Object]) -> Served:
    preferred: dict[tuple[str, str], Kind] = {}
    every: list[Kind] = []
    unavailable: set[str] = set()
    for document in documents:
        for entry in document.get("items") or []:
            group = entry.get("metadata", {}).get("name", "")
            for version in entry.get("versions") or []:  # the preferred one comes first
                if version.get("freshness") == "Stale":
                    unavailable.add(group)
                for resource in version.get("resources") or []:
                    kind = _kind(group, version["version"], resource)
                    every.append(kind)
                    if "list" in resource.get("verbs", []):
                        preferred.setdefault((group, kind.plural), kind)
    return Served(tuple(preferred.values()), tuple(every), tuple(sorted(unavailable)))


def _kind(group: str, version: str, resource: dict[str, Any]) -> Kind:
    return Kind(
        group=group,
        version=version,
        kind=resource.get("responseKind", {}).get("kind", ""),
        plural=resource["resource"],
        namespaced=resource.get("scope") == "Namespaced",
    )
