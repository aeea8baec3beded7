"""What the gate asks the API server: who we are there, and what stands in a namespace."""

from appshield.errors import NotFoundError
from appshield.gateway.reviewing import AdmissionRequest
from appshield.kubernetes import Cluster, NotServedError
from appshield.kubernetes.identity import own_identity
from appshield.kubernetes.kinds import DAEMON_SET, DEPLOYMENT, PVC, STATEFUL_SET
from appshield.manifests.states import states
from appshield.service import together

_KINDS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, PVC)


class Standing:
    """Looks at the cluster for the gate."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._own_user: str | None = None

    async def own_user(self) -> str | None:
        """Return the name by which the API server knows AppShield; None where it does not say.

        On one machine every service asks by the same kubeconfig; in a cluster the accounts of
        AppShield's namespace do not come to the gate at all.
        """
        if self._own_user is None:
            try:
                self._own_user = (await own_identity(self._cluster)).username
            except NotServedError:  # before Kubernetes 1.28
                return None
        return self._own_user

    async def is_there(self, request: AdmissionRequest) -> bool:
        """Say whether the API server has the object: anybody who finds our port could ask us."""
        group, version = request.kind.group, request.kind.version
        api_version = f"{group}/{version}" if group else version
        try:
            kind = await self._cluster.kind_of(api_version, request.kind.kind)
        except NotFoundError:
            return False
        found = await self._cluster.get(kind, request.name, request.namespace)
        return found is not None and found["metadata"]["uid"] == request.uid_of_object

    async def states_in(self, namespace: str) -> dict[str, str]:
        """Return the digest of every workload and claim of a namespace."""
        listed = await together(self._cluster.list(kind, namespace=namespace) for kind in _KINDS)
        return states(obj for objects in listed for obj in objects)
