"""A pod that only holds a claim mounted on some node, so that the agent there sees it."""

from appshield.errors import UnavailableError
from appshield.kubernetes import Object

RUN_LABEL = "appshield.io/run"
MANAGED = {"app.kubernetes.io/managed-by": "appshield"}
HELD = "held"
_PLACE = "/held"


def labels_of(run: str) -> dict[str, str]:
    """Label what a run makes in the cluster: it is found again by these, and never saved."""
    return {**MANAGED, RUN_LABEL: run}


def selector_of(run: str) -> str:
    """Select what a run made."""
    return f"{RUN_LABEL}={run}"


def is_block(claim: Object) -> bool:
    """Say whether a claim is one for a block device."""
    return bool(claim["spec"].get("volumeMode") == "Block")


def holder_pod(
    *,
    name: str,
    namespace: str,
    claim: str,
    image: str,
    run: str,
    read_only: bool,
    block: bool = False,
) -> Object:
    """Describe the pod. It holds no rights and runs as nobody; the agent needs no more of it.

    A `block` device is only passed to it: nothing in it opens the device.
    """
    held: Object = (
        {"volumeDevices": [{"name": HELD, "devicePath": _PLACE}]}
        if block
        else {"volumeMounts": [{"name": HELD, "mountPath": _PLACE, "readOnly": read_only}]}
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels_of(run)},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "holder",
                    "image": image,
                    "resources": {
                        "requests": {"cpu": "1m", "memory": "8Mi"},
                        "limits": {"memory": "32Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    **held,
                }
            ],
            "volumes": [{"name": HELD, "persistentVolumeClaim": {"claimName": claim}}],
        },
    }


def is_placed(pod: Object | None) -> bool:
    """Say whether a holder pod has its node: its claim is bound then, and is being mounted there.

    Raises:
        UnavailableError: it has ended, so nothing will be mounted.
    """
    if pod is None or not pod["spec"].get("nodeName"):
        return False
    status = pod.get("status", {})
    if status.get("phase") in {"Succeeded", "Failed"}:
        raise UnavailableError(
            f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']} has ended",
            why=str(status.get("message") or status.get("reason") or "nobody says why"),
            next_step="Look at its node; the step is tried again.",
        )
    return True


def is_running(pod: Object) -> bool:
    """Say whether a pod runs: its volumes are mounted on its node."""
    return bool(pod.get("status", {}).get("phase") == "Running")
