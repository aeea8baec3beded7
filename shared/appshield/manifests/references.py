"""What an object refers to by name: the edges that `follow` walks.

Each edge says in words how it refers, so that membership can be explained.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from appshield.manifests.kinds import BUILT_IN_GROUPS, GATEWAYS, RBAC
from appshield.manifests.objects import (
    Object,
    Reference,
    annotations_of,
    entries,
    group_of,
    kind_of,
    mapping,
    name_of,
    namespace_of,
    reference_of,
)
from appshield.manifests.workloads import containers, pod_template

_SCHEDULING = "scheduling.k8s.io"
_STORAGE = "storage.k8s.io"


class Edge(msgspec.Struct, frozen=True):
    """A reference from one object to another; `optional` if the object works without it."""

    to: Reference
    how: str
    optional: bool = False


def references(obj: Object) -> Iterator[Edge]:
    """Yield everything that the object names, in its namespace or in none, as it is written."""
    template = pod_template(obj)
    if template is not None:
        yield from _of_pod(template.spec, namespace_of(obj))
    group = group_of(obj)
    special = _SPECIAL.get((group, kind_of(obj)))
    if special is not None:
        yield from special(obj)
    elif group not in BUILT_IN_GROUPS:
        yield from _of_custom(obj.get("spec"), namespace_of(obj))


def claims_of(workload: Object, objects: Iterable[Object]) -> Iterator[Edge]:
    """Yield the claims that a StatefulSet made from its templates, as far as they exist.

    Their names are `<template>-<set>-<ordinal>`; those of replicas that were scaled away still
    hold data and count too.
    """
    if (group_of(workload), kind_of(workload)) != ("apps", "StatefulSet"):
        return
    for template in entries(mapping(workload, "spec"), "volumeClaimTemplates"):
        prefix = f"{name_of(template)}-{name_of(workload)}-"
        wanted = re.compile(re.escape(prefix) + r"[0-9]+")
        for obj in objects:
            reference = reference_of(obj)
            same_place = reference.namespace == namespace_of(workload)
            is_claim = same_place and reference.kind == "PersistentVolumeClaim"
            if is_claim and wanted.fullmatch(reference.name):
                yield Edge(reference, f"volumeClaimTemplates {name_of(template)}")


def _of_pod(spec: dict[str, Any], namespace: str) -> Iterator[Edge]:
    yield from _cluster(_SCHEDULING, "PriorityClass", spec.get("priorityClassName"))
    yield from _cluster("node.k8s.io", "RuntimeClass", spec.get("runtimeClassName"))
    for secret in entries(spec, "imagePullSecrets"):
        yield from _edge(namespace, "Secret", secret.get("name"), "imagePullSecrets")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    yield from _edge(namespace, "ServiceAccount", account, "serviceAccountName")
    for volume in entries(spec, "volumes"):
        yield from _of_volume(volume, namespace)
    for _, _, container in containers(spec):
        how = f"environment of container {container.get('name')}"
        for source in entries(container, "envFrom"):
            yield from _either(source, "secretRef", "configMapRef", namespace, how)
        for variable in entries(container, "env"):
            source = mapping(variable, "valueFrom")
            yield from _either(source, "secretKeyRef", "configMapKeyRef", namespace, how)


def _either(
    source: dict[str, Any], secret: str, config: str, namespace: str, how: str
) -> Iterator[Edge]:
    for field, kind in ((secret, "Secret"), (config, "ConfigMap")):
        named = mapping(source, field)
        optional = named.get("optional") is True
        yield from _edge(namespace, kind, named.get("name"), how, optional=optional)


def _of_volume(volume: dict[str, Any], namespace: str) -> Iterator[Edge]:
    how = f"volume {volume.get('name')}"
    claim = mapping(volume, "persistentVolumeClaim").get("claimName")
    yield from _edge(namespace, "PersistentVolumeClaim", claim, how)
    projected = entries(mapping(volume, "projected"), "sources")
    for source in (volume, *projected):
        secret, config = mapping(source, "secret"), mapping(source, "configMap")
        name = secret.get("secretName") or secret.get("name")
        optional = secret.get("optional") is True
        yield from _edge(namespace, "Secret", name, how, optional=optional)
        optional = config.get("optional") is True
        yield from _edge(namespace, "ConfigMap", config.get("name"), how, optional=optional)
    for driver in volume.values():  # csi, cephfs, iscsi and others: what their storage asks for
        for field in ("secretRef", "nodePublishSecretRef"):
            yield from _edge(namespace, "Secret", mapping(driver, field).get("name"), how)
    yield from _edge(namespace, "Secret", mapping(volume, "azureFile").get("secretName"), how)


def _of_stateful_set(obj: Object) -> Iterator[Edge]:
    spec = mapping(obj, "spec")
    yield from _named(obj, "", "Service", spec.get("serviceName"), "serviceName")
    for template in entries(spec, "volumeClaimTemplates"):
        name = mapping(template, "spec").get("storageClassName")
        yield from _cluster(_STORAGE, "StorageClass", name, optional=True)


def _of_claim(obj: Object) -> Iterator[Edge]:
    # a claim that is bound to a volume made by hand may name a class that never existed
    name = mapping(obj, "spec").get("storageClassName")
    yield from _cluster(_STORAGE, "StorageClass", name, optional=True)


def _of_autoscaler(obj: Object) -> Iterator[Edge]:
    target = mapping(mapping(obj, "spec"), "scaleTargetRef")
    group, slash, _ = str(target.get("apiVersion") or "").partition("/")
    kind = str(target.get("kind") or "")
    yield from _named(obj, group if slash else "", kind, target.get("name"), "target")


def _of_account(obj: Object) -> Iterator[Edge]:
    for secret in entries(obj, "imagePullSecrets"):
        yield from _named(obj, "", "Secret", secret.get("name"), "imagePullSecrets")


def _of_binding(obj: Object) -> Iterator[Edge]:
    role = mapping(obj, "roleRef")
    if role.get("kind") == "ClusterRole":
        yield from _cluster(RBAC, "ClusterRole", role.get("name"), "roleRef")
    elif role.get("kind") == "Role":
        yield from _named(obj, RBAC, "Role", role.get("name"), "roleRef")


def _of_ingress(obj: Object) -> Iterator[Edge]:
    spec = mapping(obj, "spec")
    name = spec.get("ingressClassName") or annotations_of(obj).get("kubernetes.io/ingress.class")
    yield from _cluster("networking.k8s.io", "IngressClass", name, optional=True)
    for tls in entries(spec, "tls"):
        yield from _named(obj, "", "Secret", tls.get("secretName"), "tls")
    backends = [mapping(spec, "defaultBackend")]
    for rule in entries(spec, "rules"):
        backends += [mapping(path, "backend") for path in entries(mapping(rule, "http"), "paths")]
    for backend in backends:
        yield from _named(obj, "", "Service", mapping(backend, "service").get("name"), "backend")


def _of_gateway(obj: Object) -> Iterator[Edge]:
    spec = mapping(obj, "spec")
    yield from _cluster(GATEWAYS, "GatewayClass", spec.get("gatewayClassName"), optional=True)
    for listener in entries(spec, "listeners"):
        for certificate in entries(mapping(listener, "tls"), "certificateRefs"):
            yield from _named(obj, "", "Secret", certificate.get("name"), "tls")


def _of_route(obj: Object) -> Iterator[Edge]:
    for rule in entries(mapping(obj, "spec"), "rules"):
        for backend in entries(rule, "backendRefs"):
            if backend.get("kind", "Service") == "Service":
                yield from _named(obj, "", "Service", backend.get("name"), "backend")


_SPECIAL: dict[tuple[str, str], Callable[[Object], Iterator[Edge]]] = {
    ("apps", "StatefulSet"): _of_stateful_set,
    ("", "PersistentVolumeClaim"): _of_claim,
    ("", "ServiceAccount"): _of_account,
    ("autoscaling", "HorizontalPodAutoscaler"): _of_autoscaler,
    (RBAC, "RoleBinding"): _of_binding,
    (RBAC, "ClusterRoleBinding"): _of_binding,
    ("networking.k8s.io", "Ingress"): _of_ingress,
    (GATEWAYS, "Gateway"): _of_gateway,
    (GATEWAYS, "HTTPRoute"): _of_route,
}


def _of_custom(value: object, namespace: str, field: str = "") -> Iterator[Edge]:
    """Yield what a custom resource names, wherever a field says by its name what it names.

    Whether the resource works without it nobody knows: such a reference is never called missing.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            kind = _KIND_OF_FIELD.get(str(name).lower())
            named = inner.get("name") if isinstance(inner, dict) else inner
            if kind is not None:
                yield from _edge(namespace, kind, named, f"field {name}", optional=True)
            yield from _of_custom(inner, namespace, str(name))
    elif isinstance(value, list):
        kind = _KIND_OF_FIELD.get(field.lower().removesuffix("s"))
        for inner in value:
            if kind is not None and isinstance(inner, str):
                yield from _edge(namespace, kind, inner, f"field {field}", optional=True)
            yield from _of_custom(inner, namespace, field)


_KIND_OF_FIELD = {
    **dict.fromkeys(
        ("secret", "secretname", "secretref", "secretkeyref", "existingsecret", "imagepullsecret"),
        "Secret",
    ),
    **dict.fromkeys(("configmap", "configmapname", "configmapref", "configmapkeyref"), "ConfigMap"),
    **dict.fromkeys(("serviceaccount", "serviceaccountname"), "ServiceAccount"),
    **dict.fromkeys(("claimname", "existingclaim"), "PersistentVolumeClaim"),
}
"""Fields of custom resources, in small letters, as operators commonly call them."""


def _named(obj: Object, group: str, kind: str, name: object, how: str) -> Iterator[Edge]:
    if isinstance(name, str) and name and kind:
        yield Edge(Reference(group, kind, namespace_of(obj), name), how)


def _edge(
    namespace: str, kind: str, name: object, how: str, *, optional: bool = False
) -> Iterator[Edge]:
    if isinstance(name, str) and name:
        yield Edge(Reference("", kind, namespace, name), how, optional)


def _cluster(
    group: str, kind: str, name: object, how: str = "its class", *, optional: bool = False
) -> Iterator[Edge]:
    if isinstance(name, str) and name:
        yield Edge(Reference(group, kind, "", name), how, optional)
