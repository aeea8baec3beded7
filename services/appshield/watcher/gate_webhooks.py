"""The webhook configurations of the gate, as narrow as they can be. Pure.

Two of them decide: one fails closed, for namespaces that opted in by label, the other lets pass
what nobody answers. Both name the namespaces of gated applications, operation by operation, and
what must never wait is kept out by the API server itself: so while AppShield is dead, only rollouts
and deletes of gated applications in namespaces that opted in are held. A third one decides nothing:
it has written on AppShield's own objects who wrote them, and tells who deletes a document.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from appshield.contracts.gates import Operation
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.gate import (
    BREAK_GLASS,
    DELETION_PATH,
    FAIL,
    MODE_LABEL,
    PATH,
    REQUESTER_PATH,
    Authority,
    GateAddress,
)
from appshield.language import requesters, writers
from appshield.language.kinds import GROUP, VERSION

Object = dict[str, Any]

FAIL_CONFIGURATION = "appshield-gate-fail"
IGNORE_CONFIGURATION = "appshield-gate-ignore"
CONFIGURATIONS = (FAIL_CONFIGURATION, IGNORE_CONFIGURATION)
REQUESTER_CONFIGURATION = "appshield-requesters"
LABELS = {"app.kubernetes.io/part-of": "appshield", "app.kubernetes.io/component": "gate"}
_SUFFIX = "gate.appshield.io"
_TIMEOUT_S = 2
_NAME_LABEL = "kubernetes.io/metadata.name"
_EXEMPT_NAMESPACES = ("kube-system", SYSTEM_NAMESPACE)
_WORKLOADS = ["deployments", "statefulsets", "daemonsets"]
_DOCUMENTS = ("applications", "policies", "profiles", "vaults")
_RULES: Mapping[Operation, list[Object]] = {
    "rollout": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["UPDATE"],
            "resources": _WORKLOADS,
            "scope": "Namespaced",
        }
    ],
    "delete": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["DELETE"],
            "resources": _WORKLOADS,
            "scope": "Namespaced",
        },
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["DELETE"],
            "resources": ["persistentvolumeclaims", "namespaces"],
            "scope": "*",
        },
    ],
}
_EXEMPT_USERS = (
    "request.userInfo.username.startsWith('system:kube-') || "
    "request.userInfo.username == 'system:apiserver' || "
    "(has(request.userInfo.groups) && request.userInfo.groups.exists(one, one in "
    "['system:nodes', 'system:serviceaccounts:kube-system', "
    f"'system:serviceaccounts:{SYSTEM_NAMESPACE}']))"
)
_MANAGED_BY = "metadata.?labels[?'app.kubernetes.io/managed-by']"
_BROKEN = f"metadata.?annotations[?'{BREAK_GLASS}'].orValue('') != ''"
_CONDITIONS: Mapping[Operation, tuple[tuple[str, str], ...]] = {
    "rollout": (("another-template", "object.spec.template != oldObject.spec.template"),),
    "delete": (),
}
_GLASS: Mapping[Operation, str] = {
    "rollout": f"object.{_BROKEN}",
    "delete": f"oldObject.{_BROKEN}",
}


class GatedNamespaces(msgspec.Struct, frozen=True, kw_only=True):
    """The namespaces in which each operation waits."""

    rollout: frozenset[str] = frozenset()
    delete: frozenset[str] = frozenset()

    def of(self, operation: Operation) -> list[str]:
        """Return those of one operation, without those in which nothing ever waits."""
        held = self.rollout if operation == "rollout" else self.delete
        return sorted(held.difference(_EXEMPT_NAMESPACES))


def webhook_configurations(
    namespaces: GatedNamespaces, address: GateAddress, authority: Authority
) -> dict[str, Object | None]:
    """Return each configuration by its name, in the order in which they are installed.

    What tells of a broken glass is there before anything is held. None for one that is not needed.
    """
    client = _client(address, authority, PATH)
    wanted = [one for one in _RULES if namespaces.of(one)]
    closed = [_held(one, namespaces, client, fails=True) for one in wanted]
    opened = [_held(one, namespaces, client, fails=False) for one in wanted]
    told = [_overridden(one, namespaces, client) for one in wanted]
    return {
        IGNORE_CONFIGURATION: _configuration(IGNORE_CONFIGURATION, [*opened, *told]),
        FAIL_CONFIGURATION: _configuration(FAIL_CONFIGURATION, closed),
    }


def requester_configuration(address: GateAddress, authority: Authority) -> Object:
    """Return what has it written on AppShield's objects who wrote them; it holds up nobody.

    Of a deletion nothing can be written on the object: it is told.
    """
    writes = _client(address, authority, REQUESTER_PATH)
    deletes = _client(address, authority, DELETION_PATH)
    wishes = ("CREATE", "UPDATE"), ("backups", "restores")
    documents = ("CREATE", "UPDATE"), _DOCUMENTS
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": REQUESTER_CONFIGURATION, "labels": LABELS},
        "webhooks": [
            _noted("requester", writes, *wishes, when=requesters.asks_anew()),
            _noted("writer", writes, *documents, when=writers.asks_anew()),
            _noted("deletion", deletes, ("DELETE",), _DOCUMENTS),
        ],
    }


def _noted(
    name: str, client: Object, operations: Sequence[str], plurals: Sequence[str], *, when: str = ""
) -> Object:
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": list(operations),
        "resources": list(plurals),
        "scope": "*",
    }
    return {
        "name": f"{name}.{_SUFFIX}",
        "clientConfig": client,
        "rules": [rule],
        "matchConditions": [{"name": "asks-anew", "expression": when}] if when else [],
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "IfNeeded",
        "failurePolicy": "Ignore",
        "sideEffects": "None" if when else "NoneOnDryRun",
        "timeoutSeconds": _TIMEOUT_S,
        "admissionReviewVersions": ["v1"],
    }


def _held(
    operation: Operation, namespaces: GatedNamespaces, client: Object, *, fails: bool
) -> Object:
    mode = {"key": MODE_LABEL, "operator": "In" if fails else "NotIn", "values": [FAIL]}
    return _webhook(
        f"{operation}.{_SUFFIX}",
        operation,
        namespaces,
        client,
        mode=[mode],
        policy="Fail" if fails else "Ignore",
        conditions=(("glass-is-whole", f"!({_GLASS[operation]})"),),
    )


def _overridden(operation: Operation, namespaces: GatedNamespaces, client: Object) -> Object:
    """Tell of what passes by the annotation; dead or alive, AppShield does not stop it."""
    return _webhook(
        f"{operation}.break-glass.{_SUFFIX}",
        operation,
        namespaces,
        client,
        mode=[],
        policy="Ignore",
        conditions=(("glass-is-broken", _GLASS[operation]),),
    )


def _webhook(
    name: str,
    operation: Operation,
    namespaces: GatedNamespaces,
    client: Object,
    *,
    mode: list[Object],
    policy: str,
    conditions: tuple[tuple[str, str], ...],
) -> Object:
    matching = (
        ("not-the-cluster-itself", f"!({_EXEMPT_USERS})"),
        ("not-made-by-appshield", f"oldObject.{_MANAGED_BY}.orValue('') != 'appshield'"),
        ("not-going-already", "!has(oldObject.metadata.deletionTimestamp)"),
        *_CONDITIONS[operation],
        *conditions,
    )
    return {
        "name": name,
        "clientConfig": client,
        "rules": _RULES[operation],
        "namespaceSelector": {
            "matchExpressions": [
                {"key": _NAME_LABEL, "operator": "In", "values": namespaces.of(operation)},
                {"key": _NAME_LABEL, "operator": "NotIn", "values": list(_EXEMPT_NAMESPACES)},
                *mode,
            ]
        },
        "objectSelector": {},
        "matchConditions": [{"name": one, "expression": text} for one, text in matching],
        "matchPolicy": "Equivalent",
        "failurePolicy": policy,
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": _TIMEOUT_S,
        "admissionReviewVersions": ["v1"],
    }


def _client(address: GateAddress, authority: Authority, path: str) -> Object:
    bundle = {"caBundle": base64.b64encode(authority.trusted).decode()}
    if not address.namespace:
        host = f"[{address.host}]" if ":" in address.host else address.host
        return {"url": f"https://{host}:{address.port}{path}", **bundle}
    service = {
        "namespace": address.namespace,
        "name": address.host,
        "port": address.port,
        "path": path,
    }
    return {"service": service, **bundle}


def _configuration(name: str, webhooks: list[Object]) -> Object | None:
    if not webhooks:
        return None
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name, "labels": LABELS},
        "webhooks": webhooks,
    }
