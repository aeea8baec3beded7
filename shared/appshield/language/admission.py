"""Who may write which document: policies that the API server itself applies to every writer.

AppShield acts with rights of its own, so a document must not let anybody borrow them: who writes a
hook could otherwise run commands in pods, who captures shared objects could read them, and who
restores could read what a version holds and create what only AppShield may create. The `authorizer`
of the API server is asked whether the writer may do the same without AppShield, or at its other
doors. An update that leaves such a part as it was is not asked for it again.
"""

from typing import Any

from appshield.language import requesters, writers
from appshield.language.kinds import GROUP, VERSION
from appshield.language.requesters import RUN_ANYWAY

Object = dict[str, Any]

SHARED_KINDS = (
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("storage.k8s.io", "storageclasses"),
    ("snapshot.storage.k8s.io", "volumesnapshotclasses"),
    ("scheduling.k8s.io", "priorityclasses"),
    ("node.k8s.io", "runtimeclasses"),
    ("networking.k8s.io", "ingressclasses"),
    ("gateway.networking.k8s.io", "gatewayclasses"),
)
"""What belongs to no namespace and is captured for an application that needs it."""
RESTORED_KINDS = (
    ("", "configmaps"),
    ("", "secrets"),
    ("", "services"),
    ("", "persistentvolumeclaims"),
    ("", "serviceaccounts"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    (GROUP, "applications"),
)
"""What nearly every version holds, and what gives rights; a policy cannot see what one holds."""
READER = "appshield-shared-objects-reader"
"""The role that lets people write Applications that follow into what belongs to no namespace."""

_HOOKS = ("quiesce", "resume", "dump", "load")
_USER = "request.userInfo.username"
_WISH = {
    "anyway": f"object.metadata.?annotations[?'{RUN_ANYWAY}'].orValue('')",
    "unchanged": "oldObject != null && variables.anyway == "
    f"oldObject.metadata.?annotations[?'{RUN_ANYWAY}'].orValue('')",
}
"""Of a wish that is there, only the annotation that has it done after all is asked for again."""

_EXEC_EVERYWHERE = (
    "authorizer.group('').resource('pods').subresource('exec').check('create').allowed()"
)


def admission_objects() -> tuple[Object, ...]:
    """Return the role, and each policy followed by its binding, in a fixed order."""
    policies = (
        _hooks(),
        _profiles(),
        _probes(),
        _captures(),
        _backups(),
        _restores(),
        _requesters(),
        _writers(),
        _reactions(),
    )
    return (_reader(), *(part for policy in policies for part in (policy, _binding(policy))))


def _hooks() -> Object:
    runs = " || ".join(f"has(one.{hook})" for hook in _HOOKS)
    return _policy(
        "hooks",
        "applications",
        variables={
            "components": "object.spec.?components.orValue([])",
            "unchanged": "oldObject != null && "
            "oldObject.spec.?components.orValue([]) == variables.components",
        },
        validations=[
            {
                "expression": "variables.unchanged || "
                f"!variables.components.exists(one, {runs}) || "
                "authorizer.group('').resource('pods').subresource('exec')"
                ".namespace(object.metadata.namespace).check('create').allowed()",
                "messageExpression": f"{_USER} + ' may not create pods/exec in namespace ' + "
                "object.metadata.namespace + ', and a hook (quiesce, resume, dump, load) runs "
                "commands in its pods: ask for that right, or leave the hooks out'",
            }
        ],
    )


def _profiles() -> Object:
    runs = " || ".join(f"has(object.spec.{hook})" for hook in _HOOKS)
    same = " && ".join(
        f"oldObject.spec.?{hook} == object.spec.?{hook}" for hook in ("type", *_HOOKS)
    )
    return _policy(
        "profiles",
        "profiles",
        variables={"unchanged": f"oldObject != null && {same}"},
        validations=[
            {
                "expression": f"variables.unchanged || !({runs}) || {_EXEC_EVERYWHERE}",
                "messageExpression": f"{_USER} + ' may not create pods/exec in every namespace, "
                "and a profile with hooks runs commands in the pods of its type: ask for that "
                "right, or write the hooks into an Application'",
            }
        ],
    )


def _probes() -> Object:
    return _policy(
        "probes",
        "policies",
        variables={
            "probes": "object.spec.?verify.?probes.orValue([])",
            "unchanged": "oldObject != null && "
            "oldObject.spec.?verify.?probes.orValue([]) == variables.probes && "
            "oldObject.spec.match == object.spec.match",
        },
        validations=[
            {
                "expression": "variables.unchanged || variables.probes.size() == 0 || "
                f"{_EXEC_EVERYWHERE}",
                "messageExpression": f"{_USER} + ' may not create pods/exec in every namespace, "
                "and the probes of a policy run commands in pods: ask for that right, or leave the "
                "probes out'",
            }
        ],
    )


def _captures() -> Object:
    """One demand for each shared kind, so that the message names the one that is missing."""
    return _policy(
        "captures",
        "applications",
        variables={
            "excluded": "object.spec.?resources.?exclude.orValue([])",
            "follows": "object.spec.?resources.?follow.orValue(true)",
            "unchanged": "oldObject != null && oldObject.spec.?resources == object.spec.?resources",
        },
        validations=[_capture(group, plural) for group, plural in SHARED_KINDS],
    )


def _capture(group: str, plural: str) -> Object:
    names = [f"{plural}.{group}", plural, f"*.{group}", "*"]
    listed = ", ".join(f"'{name}'" for name in names)
    return {
        "expression": "variables.unchanged || !variables.follows || "
        f"variables.excluded.exists(one, one in [{listed}]) || "
        f"authorizer.group('{group}').resource('{plural}').check('list').allowed()",
        "messageExpression": f"{_USER} + ' may not list {plural}.{group}, and an Application takes "
        f"in those that its objects need: ask for the role {READER}, or write {plural} under "
        "resources.exclude, or resources.follow: false'",
    }


def _restores() -> Object:
    """Demand what the other doors demand, and the right to create what a version holds.

    Where `paths` choose parts, only kinds that these may reach are asked for.
    """
    here = "object.metadata.namespace"
    there = f"object.spec.?to.orValue({here})"
    ours = (
        _right("get", "versions", "data", here, "reads what a version of there holds"),
        _right("create", "restores", "", here, "brings a version of there back"),
        _right("create", "restores", "", there, "writes there"),
    )
    kinds = (
        _refusal_unless(
            f"!variables.paths.exists(one, one.matches('{_reaching(group, plural)}')) || "
            f"variables.verbs.all(verb, authorizer.group('{group}').resource('{plural}')"
            f".namespace({there}).check(verb).allowed())",
            f"' may not ' + variables.verbs.join(' and ') + ' {_dotted(group, plural)} in '"
            f" + 'namespace ' + {there} + ', and a "
            "restore creates what the version holds: ask for that right, restore into a namespace "
            "where you have it, or only such paths as need it not'",
        )
        for group, plural in RESTORED_KINDS
    )
    return _policy(
        "restores",
        "restores",
        variables=_WISH
        | {
            "chosen": "object.spec.?paths.orValue([])",
            "verbs": "object.spec.?existing.orValue('refuse') == 'refuse' ? ['create'] : "
            "['create', 'update']",
            "paths": "variables.chosen.size() == 0 ? ['**'] : variables.chosen",
        },
        validations=[*ours, *kinds],
    )


def _backups() -> Object:
    return _policy(
        "backups",
        "backups",
        variables=_WISH,
        validations=[_right("create", "backups", "", "object.metadata.namespace", "makes one")],
    )


def _requesters() -> Object:
    """Let nobody write another's name where it stands who asks."""
    return _policy(
        "requesters",
        "backups",
        "restores",
        variables=requesters.variables(),
        validations=[requesters.truth()],
    )


def _writers() -> Object:
    """Let nobody write another's name where it stands who wrote a document."""
    return _policy(
        "writers",
        "applications",
        "policies",
        "profiles",
        "vaults",
        variables=writers.variables(),
        validations=[writers.truth()],
    )


def _right(verb: str, resource: str, part: str, where: str, because: str) -> Object:
    """Demand a right on what is AppShield's own."""
    named = f"{resource}/{part}" if part else resource
    check = f".subresource('{part}')" if part else ""
    return _refusal_unless(
        f"authorizer.group('{GROUP}').resource('{resource}'){check}.namespace({where})"
        f".check('{verb}').allowed()",
        f"' may not {verb} {named}.{GROUP} in namespace ' + {where} + ', and this {because}: ask "
        "for that right'",
    )


def _refusal_unless(allowed: str, why: str) -> Object:
    return {
        "expression": f"variables.unchanged || {allowed}",
        "messageExpression": f"{_USER} + {why}",
    }


def _reaching(group: str, plural: str) -> str:
    """Give the expression for paths that may choose objects of a kind, wildcards included."""
    kind = plural.removesuffix("s")
    folder = f"{kind}.{group}".replace(".", "[.]") if group else kind
    literal = "/a-z0-9.-"
    ways = [
        "manifests/?",
        "manifests//.*",
        f"manifests/{folder}(/.*)?",
        f"[^/]*[^{literal}].*",
        f"manifests/[^/]*[^{literal}].*",
    ]
    if plural == "persistentvolumeclaims":
        ways.append("volumes(/.*)?")
    return f"(?s)^({'|'.join(ways)})$"


def _reactions() -> Object:
    return _policy(
        "reactions",
        "policies",
        variables={
            "react": "object.spec.?react.orValue([])",
            "unchanged": "oldObject != null && "
            "oldObject.spec.?react.orValue([]) == variables.react && "
            "oldObject.spec.match == object.spec.match",
        },
        validations=[
            {
                "expression": "variables.unchanged || "
                "!variables.react.exists(one, has(one.do.restore)) || "
                f"authorizer.group('{GROUP}').resource('restores').check('create').allowed()",
                "messageExpression": f"{_USER} + ' may not create restores.{GROUP} in every "
                "namespace, and this policy restores by itself: ask for that right, or leave "
                "restore out of react'",
            }
        ],
    )


def _policy(
    name: str,
    *plurals: str,
    variables: dict[str, str],
    validations: list[Object],
) -> Object:
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": list(plurals),
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(f"{name}.{GROUP}"),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "variables": [
                {"name": variable, "expression": text} for variable, text in variables.items()
            ],
            "validations": [{**one, "reason": "Forbidden"} for one in validations],
        },
    }


def _binding(policy: Object) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _metadata(policy["metadata"]["name"]),
        "spec": {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]},
    }


def _reader() -> Object:
    groups = sorted({group for group, _ in SHARED_KINDS})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": _metadata(READER),
        "rules": [
            {
                "apiGroups": [group],
                "resources": [plural for of, plural in SHARED_KINDS if of == group],
                "verbs": ["get", "list", "watch"],
            }
            for group in groups
        ],
    }


def _metadata(name: str) -> Object:
    return {"name": name, "labels": {"app.kubernetes.io/part-of": "appshield"}}


def _dotted(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural
