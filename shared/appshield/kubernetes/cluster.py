"""The API server as the rest of AppShield sees it: objects in, objects out.

Objects are plain JSON, untouched. Every call is bounded in time and raises errors that name the
verb, the kind and the namespace; see `appshield.kubernetes.errors`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from appshield.errors import NotFoundError, UnavailableError
from appshield.kubernetes import events, executing, waiting
from appshield.kubernetes.access import ClusterAccess, connection
from appshield.kubernetes.channels import PodRef
from appshield.kubernetes.discovery import Discovery
from appshield.kubernetes.errors import ConflictError, NotServedError
from appshield.kubernetes.executing import ExecOutcome
from appshield.kubernetes.kinds import NAMESPACE, SECRET, Kind, Object, ObjectRef
from appshield.kubernetes.listing import Listing, Selection, list_all, whole
from appshield.kubernetes.requests import APPLY_PATCH, JSON, MERGE_PATCH, Actor, Call, Requests

CONNECT_ATTEMPTS = 2


class Cluster:
    """One Kubernetes cluster."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self._discovery = Discovery(requests)

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: ClusterAccess) -> AsyncIterator[Self]:
        """Yield a cluster that was reached and accepts the credentials.

        Raises InvalidInputError, UnavailableError or DeniedError; each names the server, the
        kubeconfig and the context.
        """
        async with connection(settings) as opened:
            requests = Requests(opened)
            where = f"talk to the cluster of {opened.origin} at {opened.server}"
            # /api and not /version: strangers may read the latter.
            call = Call(method="GET", path="/api", doing=where, attempts=CONNECT_ATTEMPTS)
            await requests.send(call)
            yield cls(requests)

    def acting_as(self, actor: Actor) -> Self:
        """Return the same cluster, asked in somebody's name: what they may not, it refuses.

        It has to be allowed to whoever connects to impersonate users and groups.
        """
        return type(self)(Requests(self.requests.connection, actor))

    async def uid(self) -> str:
        """Return the uid of namespace kube-system, which is the cluster's identity."""
        namespace = await self.get(NAMESPACE, "kube-system")
        if namespace is None:
            raise UnavailableError(
                "the cluster has no namespace kube-system",
                why="it has just been made",
                next_step="Try again.",
            )
        uid: str = namespace["metadata"]["uid"]
        return uid

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Return the object, None when it is not there.

        Raises NotServedError when the server does not know the kind: that says nothing about
        the object.
        """
        call = self._call("GET", "get", kind, name, namespace)
        try:
            return await self.requests.send(call)
        except NotServedError:
            raise
        except NotFoundError:
            return None

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> list[Object]:
        """Return all objects from one moment, with `apiVersion` and `kind` filled in."""
        selection = Selection(namespace, label_selector, field_selector)
        return (await list_all(self.requests, kind, selection, whole)).objects

    async def listing(self, kind: Kind, *, namespace: str = "") -> Listing[Object]:
        """Return all objects, and the resource version at which they were so; else as `list`."""
        return await list_all(self.requests, kind, Selection(namespace), whole)

    async def create(
        self, kind: Kind, body: Object, *, namespace: str = "", dry_run: bool = False
    ) -> Object:
        """Create an object and return it as stored.

        Raises AlreadyExistsError, NamespaceTerminatingError; UnavailableError may mean that it
        was created and the answer lost.
        """
        name = body["metadata"].get("name", "")
        namespace = namespace or body["metadata"].get("namespace", "")
        call = Call(
            method="POST",
            path=kind.path(namespace),
            query=_dry_run(dry_run),
            body=body,
            doing=f"create {kind.described(name, namespace)}",
            repeatable=dry_run,
            confidential=kind == SECRET,
        )
        return await self.requests.send(call)

    async def apply(
        self,
        kind: Kind,
        body: Object,
        *,
        namespace: str = "",
        field_manager: str = "appshield",
        force: bool = True,
        dry_run: bool = False,
    ) -> Object:
        """Make the object be as `body` says, by server-side apply, and return it as stored.

        Raises ConflictError when `force` is off and a field has another owner.
        """
        namespace = namespace or body["metadata"].get("namespace", "")
        query = (("fieldManager", field_manager), ("force", str(force).lower()))
        call = self._call(
            "PATCH",
            "apply",
            kind,
            body["metadata"]["name"],
            namespace,
            query=query + _dry_run(dry_run),
            body=body,
            content_type=APPLY_PATCH,
        )
        return await self.requests.send(call)

    async def replace(
        self, kind: Kind, body: Object, *, namespace: str = "", dry_run: bool = False
    ) -> Object:
        """Make the object be exactly as `body` says, whoever wrote what of it, and return it.

        A `metadata.resourceVersion` in it is a precondition: ConflictError when it moved on.
        Raises NotFoundError when the object is not there.
        """
        namespace = namespace or body["metadata"].get("namespace", "")
        name = body["metadata"]["name"]
        call = self._call(
            "PUT", "replace", kind, name, namespace, query=_dry_run(dry_run), body=body
        )
        return await self.requests.send(call)

    async def patch_status(
        self, kind: Kind, name: str, status: dict[str, Any], *, namespace: str = ""
    ) -> Object:
        """Merge `status` into the object's status, return the object. Raises NotFoundError."""
        call = self._call(
            "PATCH",
            "patch the status of",
            kind,
            name,
            namespace,
            subresource="status",
            body={"status": status},
            content_type=MERGE_PATCH,
        )
        return await self.requests.send(call)

    async def merge_patch(
        self, kind: Kind, name: str, patch: Object, *, namespace: str = ""
    ) -> Object:
        """Merge `patch` into the object (RFC 7386: null removes) and return it as stored.

        A `metadata.resourceVersion` in it is a precondition: ConflictError when it moved on.
        """
        call = self._call(
            "PATCH", "patch", kind, name, namespace, body=patch, content_type=MERGE_PATCH
        )
        return await self.requests.send(call)

    async def delete(
        self,
        kind: Kind,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Ask for the object to be deleted; finalizers may keep it for a while.

        Returns False when it is not there, or is another one than `uid` names. Raises
        ConflictError, also when it is not in the state that `resource_version` names, and
        NotServedError.
        """
        options: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        demanded = {"uid": uid, "resourceVersion": resource_version}
        if preconditions := {field: value for field, value in demanded.items() if value}:
            options["preconditions"] = preconditions
        if dry_run:
            options["dryRun"] = ["All"]  # beside a body the query is not looked at
        try:
            await self.requests.send(
                self._call("DELETE", "delete", kind, name, namespace, body=options)
            )
        except NotServedError:
            raise
        except NotFoundError:
            return False
        except ConflictError:
            return await self._is_going(kind, name, namespace, uid)
        return True

    async def _is_going(self, kind: Kind, name: str, namespace: str, uid: str) -> bool:
        """Explain a conflict of a delete: another object, or one that is being deleted."""
        found = await self.get(kind, name, namespace)
        if found is None or (uid and found["metadata"]["uid"] != uid):
            return False
        if "deletionTimestamp" in found["metadata"]:
            return True
        raise ConflictError(
            f"could not delete {kind.described(name, namespace)}",
            why="it changed at the same moment",
            next_step="Try again.",
        )

    async def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds that can be listed, each in its preferred version."""
        return (await self._discovery.served()).preferred

    async def unavailable_groups(self) -> tuple[str, ...]:
        """Return API groups whose own server does not answer; `kinds` may lack theirs."""
        return (await self._discovery.served()).unavailable_groups

    async def kind_of(self, api_version: str, kind: str) -> Kind:
        """Return the kind of an object's `apiVersion` and `kind`. Raises NotFoundError."""
        return await self._discovery.kind_of(api_version, kind)

    async def kind_named(self, name: str) -> Kind:
        """Return the kind named like `deployments.apps`. Raises NotFoundError."""
        return await self._discovery.kind_named(name)

    def refresh(self) -> None:
        """Forget the kinds, so that the next question asks the server."""
        self._discovery.refresh()

    async def wait_for(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        ready: Callable[[Object | None], bool],
        *,
        timeout_s: float,
        what: str,
    ) -> Object:
        """Return the object once `ready` accepts it; `ready(None)` means it is not there.

        `what` completes "it was not … within 30 s". What `ready` raises goes to the caller.
        Raises DeadlineError with the reason of the last state.
        """
        return await waiting.wait_for(
            self, kind, name, namespace, ready, timeout_s=timeout_s, what=what
        )

    async def execute(
        self,
        pod: PodRef,
        command: Sequence[str],
        *,
        timeout_s: float,
        stdin: AsyncIterator[bytes] | None = None,
        stdout: Callable[[bytes], Awaitable[None]] | None = None,
        count_received: bool = True,
    ) -> ExecOutcome:
        """Run `command` in a container; see `appshield.kubernetes.executing.execute`."""
        return await executing.execute(
            self.requests.connection,
            pod,
            command,
            stdin=stdin,
            stdout=stdout,
            timeout_s=timeout_s,
            count_received=count_received,
        )

    async def record_event(
        self, about: Object | ObjectRef, *, reason: str, message: str, warning: bool
    ) -> None:
        """Attach an event to an object; a failure is logged, never raised."""
        reference = about if isinstance(about, ObjectRef) else ObjectRef.of(about)
        await events.record(self, reference, reason=reason, message=message, warning=warning)

    def _call(
        self,
        method: str,
        verb: str,
        kind: Kind,
        name: str,
        namespace: str,
        *,
        subresource: str = "",
        query: tuple[tuple[str, str], ...] = (),
        body: Object | None = None,
        content_type: str = JSON,
    ) -> Call:
        return Call(
            method=method,
            path=kind.path(namespace, name, subresource),
            doing=f"{verb} {kind.described(name, namespace)}",
            query=query,
            body=body,
            content_type=content_type,
            confidential=kind == SECRET,
        )


def _dry_run(wanted: bool) -> tuple[tuple[str, str], ...]:  # noqa: FBT001 - internal
    return (("dryRun", "All"),) if wanted else ()
