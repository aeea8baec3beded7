"""What an object refers to by name: the edges that `follow` walks.

Each edge says in words how it refers, so that membership can be explained.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from appshield.manifests.objects import (
    Object,
    Reference,
    entries,
    group_of,
    kind_of,
    mapping,
    name_of,
    namespace_of,
    reference_of,
)
from appshield.manifests.workloads import containers, pod_template

_RBAC = "rbac.authorization.k8s.io"


class Edge(msgspec.Struct, frozen=True):
    """A reference from one object to another; `optional` if the object works without it."""

    to: Reference
    how: str
    optional: bool = False


def references(obj: Object) -> Iterator[Edge]:
    """Yield everything in its namespace that the object names, in the order it is written."""
    template = pod_template(obj)
    if template is not None:
        yield from _of_pod(template.spec, namespace_of(obj))
    match (group_of(obj), kind_of(obj)):
        case ("apps", "StatefulSet"):
            service = mapping(obj, "spec").get("serviceName")
            yield from _named(obj, "", "Service", service, "serviceName")
        case ("networking.k8s.io", "Ingress"):
            yield from _of_ingress(obj)
        case ("autoscaling", "HorizontalPodAutoscaler"):
            target = mapping(mapping(obj, "spec"), "scaleTargetRef")
            group, slash, _ = str(target.get("apiVersion") or "").partition("/")
            kind = str(target.get("kind") or "")
            yield from _named(obj, group if slash else "", kind, target.get("name"), "target")
        case ("", "ServiceAccount"):
            for secret in entries(obj, "imagePullSecrets"):
                yield from _named(obj, "", "Secret", secret.get("name"), "imagePullSecrets")
        case (str(group), "RoleBinding") if group == _RBAC:
            role = mapping(obj, "roleRef")
            if role.get("kind") == "Role":
                yield from _named(obj, _RBAC, "Role", role.get("name"), "roleRef")
        case _:
            return


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


def bindings_of(account: Reference, objects: Iterable[Object]) -> Iterator[Edge]:
    """Yield the RoleBindings that give a service account its rights."""
    for obj in objects:
        if (group_of(obj), kind_of(obj)) != (_RBAC, "RoleBinding"):
            continue
        for subject in entries(obj, "subjects"):
            place = subject.get("namespace") or namespace_of(obj)
            if (subject.get("kind"), subject.get("name"), place) == (
                "ServiceAccount",
                account.name,
                account.namespace,
            ):
                yield Edge(reference_of(obj), "its rights")


def _of_pod(spec: dict[str, Any], namespace: str) -> Iterator[Edge]:
    for secret in entries(spec, "imagePullSecrets"):
        yield from _edge(namespace, "Secret", secret.get("name"), "imagePullSecrets")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
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


def _of_ingress(obj: Object) -> Iterator[Edge]:
    spec = mapping(obj, "spec")
    for tls in entries(spec, "tls"):
        yield from _named(obj, "", "Secret", tls.get("secretName"), "tls")
    backends = [mapping(spec, "defaultBackend")]
    for rule in entries(spec, "rules"):
        backends += [mapping(path, "backend") for path in entries(mapping(rule, "http"), "paths")]
    for backend in backends:
        yield from _named(obj, "", "Service", mapping(backend, "service").get("name"), "backend")


def _named(obj: Object, group: str, kind: str, name: object, how: str) -> Iterator[Edge]:
    if isinstance(name, str) and name and kind:
        yield Edge(Reference(group, kind, namespace_of(obj), name), how)


def _edge(
    namespace: str, kind: str, name: object, how: str, *, optional: bool = False
) -> Iterator[Edge]:
    if isinstance(name, str) and name:
        yield Edge(Reference("", kind, namespace, name), how, optional)
