"""The kinds of other frameworks as their projects define them, as far as documents here use them.

Facts of these definitions, written anew: what is required, of which type it is, which lists of
choices there are, and where the status is a resource of its own. What is not named here is refused
by a strict API server, as there: nothing keeps unknown fields that does not keep them there.

    KubeVela 1.11 (2026-06): charts/vela-core/crds/core.oam.dev_{applications,resourcetrackers}.yaml
    Argo CD 3.6 (2026-08): manifests/crds/application-crd.yaml
    SIG Apps 0.8.3: config/crd/bases/app.k8s.io_applications.yaml
    Backup for GKE: its definition is not published; the reference of ProtectedApplication is.
"""

from typing import Any

from appshield.kubernetes import Object
from appshield.language.adapters import ADAPTERS, ForeignKind

Schema = dict[str, Any]

TRACKER = ForeignKind(
    "core.oam.dev", "v1beta1", "ResourceTracker", "resourcetrackers", namespaced=False
)
FOREIGN = [adapter.kind for adapter in ADAPTERS if adapter.kind.group]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "format": "int64"}
TRUTH: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}


def _object(*required: str, **fields: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": fields}
    return schema | ({"required": list(required)} if required else {})


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _one_of(*choices: str) -> Schema:
    return TEXT | {"enum": list(choices)}


_SELECTOR = _object(
    matchLabels=TEXTS,
    matchExpressions=_list(
        _object("key", "operator", key=TEXT, operator=TEXT, values=_list(TEXT)),
    ),
)

_OAM_APPLICATION = {
    "spec": _object(
        "components",
        components=_list(
            _object(
                "name",
                "type",
                name=TEXT,
                type=TEXT,
                properties=ANYTHING,
                dependsOn=_list(TEXT),
                externalRevision=TEXT,
                traits=_list(_object("type", type=TEXT, properties=ANYTHING)),
            )
        ),
        policies=_list(_object("type", name=TEXT, type=TEXT, properties=ANYTHING)),
        workflow=_object(
            ref=TEXT, steps=_list(_object("type", name=TEXT, type=TEXT, properties=ANYTHING))
        ),
    ),
    "status": _object(
        status=TEXT,
        observedGeneration=WHOLE,
        latestRevision=_object("name", "revision", name=TEXT, revision=WHOLE, revisionHash=TEXT),
    ),
}
_OAM_TRACKER = {
    "spec": _object(
        "applicationGeneration",
        applicationGeneration=WHOLE,
        type=TEXT,
        compression=_object(type=TEXT, data=TEXT),
        managedResources=_list(
            _object(
                **dict.fromkeys(
                    (
                        *("apiVersion", "kind", "name", "namespace", "cluster", "component"),
                        *("creator", "fieldPath", "resourceVersion", "trait", "uid"),
                    ),
                    TEXT,
                ),
                deleted=TRUTH,
                skipGC=TRUTH,
                raw=ANYTHING,
            )
        ),
    )
}

_SOURCE = _object(
    "repoURL",
    **dict.fromkeys(
        ("repoURL", "path", "targetRevision", "chart", "ref", "name", "tagPrefix"), TEXT
    ),
    helm=_object(releaseName=TEXT, values=TEXT, version=TEXT, valueFiles=_list(TEXT)),
)
_HEALTH = _object(status=TEXT, message=TEXT, lastTransitionTime=MOMENT)
_ARGO_CD = {
    "spec": _object(
        "destination",
        "project",
        project=TEXT,
        destination=_object(server=TEXT, name=TEXT, namespace=TEXT),
        source=_SOURCE,
        sources=_list(_SOURCE),
        revisionHistoryLimit=WHOLE,
        syncPolicy=_object(
            automated=_object(prune=TRUTH, selfHeal=TRUTH, allowEmpty=TRUTH, enabled=TRUTH),
            syncOptions=_list(TEXT),
        ),
    ),
    "status": _object(
        sync=_object("status", status=TEXT, revision=TEXT, revisions=_list(TEXT)),
        health=_HEALTH,
        summary=_object(images=_list(TEXT), externalURLs=_list(TEXT)),
        history=_list(
            _object(
                "deployedAt",
                "id",
                id=WHOLE,
                revision=TEXT,
                revisions=_list(TEXT),
                deployedAt=MOMENT,
                deployStartedAt=MOMENT,
                initiatedBy=_object(automated=TRUTH, username=TEXT),
                source=_SOURCE,
                sources=_list(_SOURCE),
            )
        ),
        resources=_list(
            _object(
                **dict.fromkeys(("group", "version", "kind", "namespace", "name", "status"), TEXT),
                health=_HEALTH,
                hook=TRUTH,
                requiresPruning=TRUTH,
                requiresDeletionConfirmation=TRUTH,
                syncWave=WHOLE,
            )
        ),
    ),
}

_SIG_APPS = {
    "spec": _object(
        selector=_SELECTOR,
        componentKinds=_list(_object("group", "kind", group=TEXT, kind=TEXT)),
        descriptor=_object(
            type=TEXT, version=TEXT, description=TEXT, notes=TEXT, keywords=_list(TEXT)
        ),
        addOwnerRef=TRUTH,
        assemblyPhase=TEXT,
    ),
    "status": _object(observedGeneration=WHOLE, componentsReady=TEXT),
}

_HOOKS = _list(
    _object(
        "name",
        "command",
        name=TEXT,
        container=TEXT,
        command=_list(TEXT),
        timeoutSeconds=WHOLE,
        onError=_one_of("Fail", "Ignore"),
    )
)
_GKE = {
    "spec": _object(
        "resourceSelection",
        resourceSelection=_object("type", type=TEXT, selector=_SELECTOR),
        components=_list(
            _object(
                *("name", "resourceKind", "resourceNames", "strategy"),
                name=TEXT,
                resourceKind=_one_of("Deployment", "StatefulSet"),
                resourceNames=_list(TEXT),
                strategy=_object(
                    "type",
                    type=_one_of("BackupAllRestoreAll", "BackupOneRestoreAll", "DumpAndLoad"),
                    backupAllRestoreAll=_object(backupPreHooks=_HOOKS, backupPostHooks=_HOOKS),
                    backupOneRestoreAll=_object(
                        "backupTargetName",
                        backupTargetName=TEXT,
                        backupPreHooks=_HOOKS,
                        backupPostHooks=_HOOKS,
                    ),
                    dumpAndLoad=_object(
                        *("dumpTarget", "loadTarget", "dumpHooks", "loadHooks", "volumeSelector"),
                        dumpTarget=TEXT,
                        loadTarget=TEXT,
                        dumpHooks=_HOOKS,
                        backupPostHooks=_HOOKS,
                        loadHooks=_HOOKS,
                        volumeSelector=_SELECTOR,
                    ),
                ),
            )
        ),
    )
}

_FIELDS: dict[tuple[str, str], Schema] = {
    ("core.oam.dev", "Application"): _OAM_APPLICATION,
    ("core.oam.dev", "ResourceTracker"): _OAM_TRACKER,
    ("argoproj.io", "Application"): _ARGO_CD,
    ("app.k8s.io", "Application"): _SIG_APPS,
    ("gkebackup.gke.io", "ProtectedApplication"): _GKE,
}
_STATUS_APART = {("core.oam.dev", "Application"), ("app.k8s.io", "Application")}
"""Of these a status is written by itself, and what comes with the object is dropped."""


def has_status_apart(body: Object) -> bool:
    """Say whether the status of an object is a resource of its own."""
    return (str(body["apiVersion"]).partition("/")[0], body["kind"]) in _STATUS_APART


def definition(kind: ForeignKind) -> Object:
    """Return the definition of a kind."""
    key = (kind.group, kind.kind)
    required = {"required": ["metadata", "spec"]} if kind.group == "argoproj.io" else {}
    schema = {
        "type": "object",
        "properties": {"apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}}
        | _FIELDS[key],
    } | required
    version: Object = {"name": kind.version, "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": schema}
    if key in _STATUS_APART:
        version["subresources"] = {"status": {}}
    names = {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()}
    metadata: Object = {"name": f"{kind.plural}.{kind.group}"}
    if kind.group.endswith(".k8s.io"):  # the API server asks for it in groups of the community
        url = "https://github.com/kubernetes-sigs/application"
        metadata["annotations"] = {"api-approved.kubernetes.io": f"unapproved, {url}"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }
