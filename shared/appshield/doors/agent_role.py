"""What agents of nodes may do in the cluster: find the volumes of pods, and nothing else.

They read no Secret. What they need of a Vault they are lent, one repository at a time (ADR 38).
"""

from typing import Any

from appshield.contracts.identities import SYSTEM_NAMESPACE

Object = dict[str, Any]

AGENT = "appshield-node-agent"
"""The name of the account, of its role, and of what binds them."""

_RBAC = "rbac.authorization.k8s.io"


def agent_objects() -> tuple[Object, Object, Object]:
    """Return the account of agents, its role, and what gives it the role."""
    labels = {"app.kubernetes.io/part-of": "appshield"}
    account: Object = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": AGENT, "namespace": SYSTEM_NAMESPACE, "labels": labels},
    }
    role: Object = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": AGENT, "labels": labels},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {
                "apiGroups": [""],
                "resources": ["persistentvolumeclaims", "persistentvolumes"],
                "verbs": ["get"],
            },
        ],
    }
    binding: Object = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": AGENT, "labels": labels},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": AGENT},
        "subjects": [{"kind": "ServiceAccount", "name": AGENT, "namespace": SYSTEM_NAMESPACE}],
    }
    return account, role, binding
