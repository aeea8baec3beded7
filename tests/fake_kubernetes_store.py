"""The memory of the fake API server: objects, resource versions, the log that watches read."""

import copy
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from appshield.kubernetes import kinds
from appshield.kubernetes.kinds import Kind, Object

WITHOUT_STATUS = {"configmaps", "secrets", "events", "storageclasses", "csidrivers", "leases"}
BUILT_IN = [value for value in vars(kinds).values() if isinstance(value, Kind)]
CUSTOM_GROUPS = {"appshield.io", "snapshot.storage.k8s.io"}
Address = tuple[str, str]
Chosen = Callable[[Object], bool]


class RefusedByFakeError(Exception):
    """An HTTP answer that is not success."""

    def __init__(self, code: int, reason: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.headers: dict[str, str] = {}
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
            "details": details,
        }


class Change:
    """One entry of the log: what an object was and is; None where it did not or does not exist."""

    def __init__(self, version: int, kind: Kind, old: Object | None, new: Object | None) -> None:
        self.version = version
        self.kind = kind
        self.old = old
        self.new = new

    def event(self, chosen: Chosen) -> dict[str, Any] | None:
        """Return the watch event for a reader of the `chosen` objects."""
        was = self.old is not None and chosen(self.old)
        stays = self.new is not None and chosen(self.new)
        if stays:
            return {"type": "MODIFIED" if was else "ADDED", "object": self.new}
        if not was or self.old is None:
            return None
        gone = copy.deepcopy(self.new or self.old)
        gone["metadata"]["resourceVersion"] = str(self.version)
        return {"type": "DELETED", "object": gone}


class Store:
    """All objects, by kind and address (namespace, name)."""

    def __init__(self) -> None:
        self.version = 1
        self.oldest = 0
        self.log: list[Change] = []
        self.kinds = [kind for kind in BUILT_IN if kind.group not in CUSTOM_GROUPS]
        self._objects: dict[tuple[str, str], dict[Address, Object]] = {}
        for name in ("default", "kube-system"):
            self.write(kinds.NAMESPACE, {"metadata": {"name": name}})

    def kind(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the served kind."""
        for kind in self.kinds:
            if (kind.group, kind.version, kind.plural) == (group, version, plural):
                return kind
        return None

    def of(self, kind: Kind) -> dict[Address, Object]:
        """Return the objects of a kind."""
        return self._objects.setdefault((kind.group, kind.plural), {})

    def select(self, kind: Kind, chosen: Chosen) -> list[Object]:
        """Return the chosen objects in the order of their addresses."""
        return [copy.deepcopy(obj) for _, obj in sorted(self.of(kind).items()) if chosen(obj)]

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return a copy of the object, or refuse with 404."""
        found = self.of(kind).get((namespace, name))
        if found is None:
            message = f'{kind.resource} "{name}" not found'
            raise RefusedByFakeError(404, "NotFound", message, name=name, kind=kind.plural)
        return copy.deepcopy(found)

    def write(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Store `body` whole, as created or changed, and return what is stored."""
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **copy.deepcopy(body)}
        metadata = body["metadata"]
        address = (metadata.get("namespace", ""), metadata["name"])
        old = self.of(kind).get(address)
        self._own_fields(body, old)
        if old is not None and _without_version(old) == _without_version(body):
            return copy.deepcopy(old)
        metadata["resourceVersion"] = str(self.version + 1)
        if dry_run:
            return body
        self._append(kind, old, body)
        self.of(kind)[address] = body
        if kind == kinds.CRD:
            self._serve(body)
        return copy.deepcopy(body)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete the object, and with it all that a namespace or a definition holds."""
        old = self.of(kind).pop((namespace, name))
        if kind == kinds.NAMESPACE:
            self._empty(self.kinds, lambda address: address[0] == name)
        if kind == kinds.CRD:
            group, plural = old["spec"]["group"], old["spec"]["names"]["plural"]
            gone = [k for k in self.kinds if (k.group, k.plural) == (group, plural)]
            self._empty(gone, lambda _address: True)
            self.kinds = [k for k in self.kinds if k not in gone]
        self._append(kind, old, None)

    def _empty(self, among: list[Kind], held: Callable[[Address], bool]) -> None:
        for kind in among:
            for namespace, name in [address for address in self.of(kind) if held(address)]:
                self.remove(kind, namespace, name)

    def since(self, kind: Kind, version: int) -> Iterator[Change]:
        """Yield the changes of a kind after `version`."""
        for change in self.log:
            if change.version > version and change.kind.resource == kind.resource:
                yield change

    def _append(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        self.version += 1
        self.log.append(Change(self.version, kind, old, new))

    def _own_fields(self, body: Object, old: Object | None) -> None:
        metadata = body["metadata"]
        before = old["metadata"] if old else {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata["uid"] = before.get("uid") or str(uuid.uuid4())
        metadata["creationTimestamp"] = before.get("creationTimestamp") or now
        generation: int = before.get("generation", 0)
        changed = old is None or _spec(old) != _spec(body)
        metadata["generation"] = generation + 1 if changed else generation
        if body["kind"] == "Namespace":
            body.setdefault("status", {"phase": "Active"})

    def _serve(self, definition: Object) -> None:
        spec = definition["spec"]
        for version in spec["versions"]:
            kind = Kind(
                spec["group"],
                version["name"],
                spec["names"]["kind"],
                spec["names"]["plural"],
                spec["scope"] == "Namespaced",
            )
            if kind not in self.kinds:
                self.kinds.append(kind)


def merged(target: Any, patch: Any) -> Any:
    """Return `target` after a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def selector(labels: str, fields: str, namespace: str) -> Chosen:
    """Return the predicate of a label selector (equality, in, exists) and a field selector."""
    label_tests = [_label_test(part.strip()) for part in _split(labels)]
    field_tests = [part.partition("=") for part in fields.split(",") if part]

    def chosen(obj: Object) -> bool:
        metadata = obj["metadata"]
        if namespace and metadata.get("namespace") != namespace:
            return False
        own = metadata.get("labels") or {}
        by_fields = all(
            metadata.get(path.removeprefix("metadata."), "") == wanted.lstrip("=")
            for path, _, wanted in field_tests
        )
        return by_fields and all(test(own) for test in label_tests)

    return chosen


def _split(labels: str) -> list[str]:
    parts: list[str] = []
    for piece in labels.split(","):
        if parts and parts[-1].count("(") > parts[-1].count(")"):
            parts[-1] += f",{piece}"
        elif piece.strip():
            parts.append(piece)
    return parts


def _label_test(part: str) -> Callable[[dict[str, str]], bool]:
    if "(" in part:
        head, _, values = part.rstrip(")").partition("(")
        key, how = head.split()
        wanted = {value.strip() for value in values.split(",")}
        inside: Literal["in", "notin"] | str = how
        return lambda own: (own.get(key) in wanted) == (inside == "in")
    if "!=" in part:
        key, _, value = part.partition("!=")
        return lambda own: own.get(key) != value
    if "=" in part:
        key, _, value = part.partition("=")
        return lambda own: own.get(key) == value.lstrip("=")
    if part.startswith("!"):
        return lambda own: part[1:] not in own
    return lambda own: part in own


def _spec(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}}


def _without_version(obj: Object) -> Object:
    metadata = {key: val for key, val in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": metadata}
