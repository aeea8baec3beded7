"""Users of the cluster who may do little or nothing: accounts, their tokens, their kubeconfigs."""

import base64
from pathlib import Path

import yaml

from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import SERVICE_ACCOUNT, Kind
from appshield.kubernetes.requests import Call

_RBAC = "rbac.authorization.k8s.io"
_ROLE_BINDING = Kind(_RBAC, "v1", "RoleBinding", "rolebindings")


async def account_in(cluster: Cluster, namespace: str, name: str, *, role: str = "") -> None:
    """Make an account, with a cluster role in its namespace or with none."""
    account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    await cluster.create(SERVICE_ACCOUNT, account, namespace=namespace)
    if role:
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        await give(cluster, namespace, role, subject)


async def give(cluster: Cluster, namespace: str, role: str, subject: Object) -> None:
    """Give somebody a cluster role in a namespace."""
    binding: Object = {
        "apiVersion": _ROLE_BINDING.api_version,
        "kind": "RoleBinding",
        "metadata": {"name": f"{role}-{subject['name']}"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
    await cluster.create(_ROLE_BINDING, binding, namespace=namespace)


async def token_of(cluster: Cluster, namespace: str, account: str, *audiences: str) -> str:
    """Ask for a token of an account, for the API server where no audience is named."""
    spec: Object = {"audiences": list(audiences)} if audiences else {}
    call = Call(
        method="POST",
        path=SERVICE_ACCOUNT.path(namespace, account, "token"),
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        doing="ask for a token",
        confidential=True,
    )
    return str((await cluster.requests.send(call))["status"]["token"])


async def kubeconfig_without_rights(
    cluster: Cluster, admin: Path, namespace: str, folder: Path
) -> Path:
    """Write a kubeconfig of a new account in `namespace` for the cluster that `admin` names."""
    await account_in(cluster, namespace, "stranger")
    token = await token_of(cluster, namespace, "stranger")
    return kubeconfig(admin, folder / "stranger.kubeconfig", token=token)


def kubeconfig(admin: Path, file: Path, *, token: str = "", server: str = "") -> Path:
    """Copy a kubeconfig with another user's token, or for another server."""
    document = yaml.safe_load(admin.read_text())
    cluster = document["clusters"][0]["cluster"]
    if server:
        cluster["server"] = server
    if authority := cluster.pop("certificate-authority", ""):
        content = (admin.parent / authority).read_bytes()
        cluster["certificate-authority-data"] = base64.b64encode(content).decode()
    if token:
        document["users"][0]["user"] = {"token": token}
    file.write_text(yaml.safe_dump(document))
    return file
