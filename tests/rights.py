"""A user of the cluster who may do little or nothing: an account with a token, in a kubeconfig."""

import base64
from pathlib import Path

import yaml

from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import Kind
from appshield.kubernetes.requests import Call

_ACCOUNT = Kind(
    group="", version="v1", kind="ServiceAccount", plural="serviceaccounts", namespaced=True
)
_TOKEN_LIVES_S = 3600


async def kubeconfig_without_rights(
    cluster: Cluster, admin: Path, namespace: str, folder: Path
) -> Path:
    """Write a kubeconfig of a new account in `namespace` for the cluster that `admin` names."""
    account: Object = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = {"name": "stranger"}
    await cluster.create(_ACCOUNT, account, namespace=namespace)
    answer = await cluster.requests.send(
        Call(
            method="POST",
            path=_ACCOUNT.path(namespace, "stranger", "token"),
            doing="make a token",
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": _TOKEN_LIVES_S},
            },
        )
    )
    return kubeconfig(admin, folder / "stranger.kubeconfig", token=answer["status"]["token"])


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
