"""A fake API server over HTTP, for tests of services; proven by tests/conformance.

    async with FakeKubernetes() as fake, Cluster.connect(fake.access) as cluster:
        fake.put({"apiVersion": "v1", "kind": "Pod", "metadata": {...}, "status": {...}})
        fake.fail_next(2, 503)

It keeps objects with resource versions, serves discovery, pages, selectors, dry runs, the status
subresource, watches with bookmarks and WatchList, and 410. Server-side apply is a merge with no
owners of fields; nothing acts on objects, so a test plays the controllers with `put`. Kinds of
appshield.io and of snapshots are served once their CustomResourceDefinition exists (`serve`).
"""

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web

from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object, kinds
from fake_kubernetes_documents import (
    Form,
    asked_form,
    bookmark,
    discovery,
    kubeconfig_of,
    patched,
)
from fake_kubernetes_store import WITHOUT_STATUS, Chosen, RefusedByFakeError, Store, selector

BOOKMARK_EVERY_S = 0.2


class Fault(msgspec.Struct):
    """Answers that the next matching requests get instead of the true ones."""

    left: int
    code: int
    method: str
    path: str
    retry_after_s: int | None
    reason: str


class FakeKubernetes:
    """One fake cluster, listening on loopback while the context is open."""

    def __init__(self, *, watch_list: bool = True) -> None:
        self.store = Store()
        self.watch_list = watch_list
        self.token = "fake-token"
        self.requests: list[tuple[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self._faults: list[Fault] = []
        self._pages: dict[str, tuple[list[Object], int]] = {}
        self._watches: set[asyncio.Transport] = set()
        self._moved = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._folder = tempfile.TemporaryDirectory()
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()
        self._folder.cleanup()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        application = web.Application(client_max_size=8 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and cut every connection, as a restart does; objects stay."""
        self.cut_watches()
        if self._runner:
            await self._runner.cleanup()

    @property
    def kubeconfig(self) -> str:
        """The path of a kubeconfig for this server, context `fake`."""
        path = Path(self._folder.name) / "kubeconfig"
        if not path.exists():  # several may read it at this moment
            path.write_text(json.dumps(kubeconfig_of(f"http://127.0.0.1:{self.port}")))
        return str(path)

    @property
    def access(self) -> ClusterAccess:
        """The settings that lead here."""
        return ClusterAccess(kubeconfig=self.kubeconfig)

    @asynccontextmanager
    async def cluster(self) -> AsyncIterator[Cluster]:
        """Yield a cluster that is connected to this server."""
        async with Cluster.connect(self.access) as cluster:
            yield cluster

    # what a test does behind the API's back

    def serve(self, *more: Kind) -> None:
        """Serve further kinds, as if their CustomResourceDefinitions were installed."""
        self.store.kinds += [kind for kind in more if kind not in self.store.kinds]

    def put(self, obj: Object) -> Object:
        """Store an object whole, status included, as its controller would."""
        stored = self.store.write(self._kind_of(obj), obj)
        self._tell()
        return stored

    def take(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Return the stored object."""
        return self.store.of(kind).get((namespace, name))

    def remove(self, kind: Kind, name: str, namespace: str = "") -> None:
        """Delete an object at once."""
        self.store.remove(kind, namespace, name)
        self._tell()

    def terminate(self, namespace: str) -> None:
        """Let a namespace be in deletion: it accepts no new objects."""
        obj = self.store.get(kinds.NAMESPACE, "", namespace)
        obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.put({**obj, "status": {"phase": "Terminating"}})

    def fail_next(
        self,
        count: int,
        code: int,
        *,
        method: str = "",
        path: str = "",
        retry_after_s: int | None = None,
        reason: str = "",
    ) -> None:
        """Answer the next `count` requests (of `method`, with `path` inside) with `code`.

        Code 0 cuts the connection instead of answering.
        """
        self._faults.append(Fault(count, code, method, path, retry_after_s, reason))

    def cut_watches(self) -> None:
        """Break every open watch in the middle."""
        for transport in self._watches:
            transport.abort()

    def compact(self) -> None:
        """Forget history: older versions and open pages get 410."""
        self.store.oldest = self.store.version
        self.store.log.clear()
        self._pages.clear()

    # HTTP

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def _kind_of(self, obj: Object) -> Kind:
        for kind in self.store.kinds:
            if (kind.api_version, kind.kind) == (obj["apiVersion"], obj["kind"]):
                return kind
        raise AssertionError(f"the fake serves no {obj['kind']} of {obj['apiVersion']}")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        self.headers.append(request.headers)
        try:
            self._fail(request)
            return await self._dispatch(request)
        except RefusedByFakeError as refused:
            return web.json_response(refused.status, status=refused.code, headers=refused.headers)

    def _fail(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise RefusedByFakeError(401, "Unauthorized", "Unauthorized")
        for fault in self._faults:
            if fault.left and fault.method in request.method and fault.path in request.path_qs:
                fault.left -= 1
                if fault.code == 0 and request.transport:
                    request.transport.abort()
                refused = RefusedByFakeError(fault.code or 500, fault.reason, "as planned")
                if fault.retry_after_s is not None:
                    refused.headers["Retry-After"] = str(fault.retry_after_s)
                raise refused

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if parts in (["api"], ["apis"]):
            return web.json_response(discovery(self.store.kinds, parts[0]))
        group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
        version, rest = rest[0], rest[1:]
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces" and rest[2] != "status":
            namespace, rest = rest[1], rest[2:]
        kind = self.store.kind(group, version, rest[0])
        if kind is None or len(rest) > 3:
            return web.Response(status=404, text="404 page not found\n")
        if len(rest) == 1:
            return await self._collection(request, kind, namespace)
        name, subresource = rest[1], "".join(rest[2:])
        return await self._single(request, kind, namespace, name, subresource)

    async def _collection(
        self, request: web.Request, kind: Kind, namespace: str
    ) -> web.StreamResponse:
        query = request.query
        if request.method == "POST":
            return self._create(kind, namespace, await request.json(), "dryRun" in query)
        chosen = selector(query.get("labelSelector", ""), query.get("fieldSelector", ""), namespace)
        if query.get("watch") == "true":
            return await self._watch(request, kind, chosen)
        limit, token = int(query.get("limit", 0)), query.get("continue", "")
        return self._list(kind, chosen, limit, token, asked_form(request))

    def _create(self, kind: Kind, namespace: str, body: Object, dry_run: bool) -> web.Response:
        metadata = body["metadata"]
        if body.get("kind") != kind.kind or body.get("apiVersion") != kind.api_version:
            raise RefusedByFakeError(400, "BadRequest", "the kind does not match the path")
        self._admit(kind, namespace)
        if kind.namespaced:
            metadata["namespace"] = namespace
        name = metadata.setdefault("name", f"{metadata.get('generateName')}{self.store.version}")
        if (metadata.get("namespace", ""), name) in self.store.of(kind):
            message = f'{kind.resource} "{name}" already exists'
            raise RefusedByFakeError(409, "AlreadyExists", message, name=name, kind=kind.plural)
        if kind.plural not in WITHOUT_STATUS:
            body.pop("status", None)
        stored = self.store.write(kind, body, dry_run=dry_run)
        self._tell()
        return web.json_response(stored, status=201)

    def _admit(self, kind: Kind, namespace: str) -> None:
        if not kind.namespaced:
            return
        if self.store.get(kinds.NAMESPACE, "", namespace)["status"]["phase"] == "Terminating":
            cause = {"reason": "NamespaceTerminating", "message": "it is", "field": "metadata"}
            raise RefusedByFakeError(403, "Forbidden", "being terminated", causes=[cause])

    def _list(self, kind: Kind, chosen: Chosen, limit: int, token: str, form: Form) -> web.Response:
        if token and token not in self._pages:
            raise RefusedByFakeError(410, "Expired", "the continue parameter is too old")
        objects, version = self._pages.pop(token, (self.store.select(kind, chosen), 0))
        version = version or self.store.version
        metadata = {"resourceVersion": str(version)}
        page = objects[:limit] if limit else objects
        if limit and len(objects) > limit:
            following = base64.b64encode(f"{version}/{len(objects)}".encode()).decode()
            self._pages[following] = (objects[limit:], version)
            metadata["continue"] = following
        shown = map(form, page)
        bare = [{k: v for k, v in obj.items() if k not in {"apiVersion", "kind"}} for obj in shown]
        body = {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": bare,
        }
        return web.json_response(body)

    async def _single(
        self, request: web.Request, kind: Kind, namespace: str, name: str, subresource: str
    ) -> web.Response:
        if request.method == "GET":
            return web.json_response(self.store.get(kind, namespace, name))
        body = await request.json() if request.can_read_body else {}
        if request.method == "DELETE":
            return self._delete(kind, namespace, name, body)
        if request.method == "PUT":
            return self._replace(request, kind, namespace, name, body)
        applying = "apply-patch" in request.content_type
        if not applying and "merge-patch" not in request.content_type:
            raise RefusedByFakeError(415, "UnsupportedMediaType", "merge or apply patches only")
        if applying:
            return self._apply(request, kind, namespace, name, body)
        old = self.store.get(kind, namespace, name)
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted not in {None, old["metadata"]["resourceVersion"]}:
            raise RefusedByFakeError(409, "Conflict", "the object has been modified", name=name)
        stored = self.store.write(
            kind, patched(kind, old, body, subresource), dry_run="dryRun" in request.query
        )
        self._tell()
        return web.json_response(stored)

    def _apply(
        self, request: web.Request, kind: Kind, namespace: str, name: str, body: Object
    ) -> web.Response:
        if not request.query.get("fieldManager"):
            raise RefusedByFakeError(400, "BadRequest", "fieldManager is required for apply patch")
        if body.get("kind") != kind.kind or body.get("apiVersion") != kind.api_version:
            raise RefusedByFakeError(400, "BadRequest", "the kind does not match the path")
        if "managedFields" in body["metadata"]:
            raise RefusedByFakeError(400, "BadRequest", "metadata.managedFields must be nil")
        address = (namespace, name) if kind.namespaced else ("", name)
        old = self.store.of(kind).get(address)
        if old is None:
            self._admit(kind, namespace)
            old = {"metadata": {"namespace": namespace} if kind.namespaced else {}}
        new = patched(kind, old, body, "")
        stored = self.store.write(kind, new, dry_run="dryRun" in request.query)
        self._tell()
        return web.json_response(stored)

    def _replace(
        self, request: web.Request, kind: Kind, namespace: str, name: str, body: Object
    ) -> web.Response:
        old = self.store.get(kind, namespace, name)
        wanted = body["metadata"].get("resourceVersion")
        if wanted not in {None, old["metadata"]["resourceVersion"]}:
            raise RefusedByFakeError(409, "Conflict", "the object has been modified", name=name)
        new = {**body, "status": old["status"]} if "status" in old else body
        stored = self.store.write(kind, new, dry_run="dryRun" in request.query)
        self._tell()
        return web.json_response(stored)

    def _delete(self, kind: Kind, namespace: str, name: str, options: Object) -> web.Response:
        demanded = options.get("preconditions") or {}
        found = self.store.get(kind, namespace, name)
        for field, value in demanded.items():
            if value != found["metadata"][field]:
                raise RefusedByFakeError(409, "Conflict", f"{field} differs", name=name)
        if not options.get("dryRun"):
            self.store.remove(kind, namespace, name)
        self._tell()
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    async def _watch(self, request: web.Request, kind: Kind, chosen: Chosen) -> web.StreamResponse:
        query = request.query
        initial = query.get("sendInitialEvents") == "true"
        if initial and not (self.watch_list and query.get("resourceVersionMatch")):
            raise RefusedByFakeError(422, "Invalid", "sendInitialEvents is forbidden")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        self._watches.add(transport)
        form = asked_form(request)
        try:
            async with asyncio.timeout(float(query.get("timeoutSeconds", 300))):
                version = int(query.get("resourceVersion") or 0)
                if initial:
                    version = await self._send_initial(response, kind, chosen, form)
                await self._send_changes(response, kind, chosen, version, form)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._watches.discard(transport)
        return response

    async def _send_initial(
        self, response: web.StreamResponse, kind: Kind, chosen: Chosen, form: Form
    ) -> int:
        version = self.store.version
        for obj in self.store.select(kind, chosen):
            await _send(response, {"type": "ADDED", "object": form(obj)})
        await _send(response, bookmark(kind, version, {"k8s.io/initial-events-end": "true"}))
        return version

    async def _send_changes(
        self, response: web.StreamResponse, kind: Kind, chosen: Chosen, version: int, form: Form
    ) -> None:
        while True:
            if version < self.store.oldest:
                gone = RefusedByFakeError(410, "Expired", f"too old resource version: {version}")
                await _send(response, {"type": "ERROR", "object": gone.status})
                return
            moved, reached = self._moved, self.store.version
            for change in list(self.store.since(kind, version)):
                version = change.version
                if event := change.event(chosen):
                    await _send(response, event | {"object": form(event["object"])})
            version = max(version, reached)
            try:
                async with asyncio.timeout(BOOKMARK_EVERY_S):
                    await moved.wait()
            except TimeoutError:
                await _send(response, bookmark(kind, version, {}))


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(msgspec.json.encode(event) + b"\n")
