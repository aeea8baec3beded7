"""Settings of a service that talks to the API server."""

from appshield.kubernetes.access import ClusterAccess
from appshield.service.settings import ServiceSettings


class ApiSettings(ServiceSettings, frozen=True, kw_only=True):
    """Which cluster, and how fast it is asked.

    `kubeconfig` and `context` empty: the cluster that the service runs in. The service sends
    `api_requests_per_s` requests for long and `api_requests_burst` at once, exec and every begin of
    a watch included; 0 for as many as there are. That is for each process: two services, or two
    replicas of one, ask twice as fast together. Whatever they say, it waits when the API server
    is overloaded and says so.
    """

    kubeconfig: str = ""
    context: str = ""
    api_requests_per_s: float = 1_000
    api_requests_burst: int = 1_000

    def cluster_access(self) -> ClusterAccess:
        """Return the access that these settings describe."""
        return ClusterAccess(
            kubeconfig=self.kubeconfig,
            context=self.context,
            requests_per_s=self.api_requests_per_s,
            requests_burst=self.api_requests_burst,
        )
