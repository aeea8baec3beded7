"""The local user: whoever ran `appshield up`, as the API server knows them by that kubeconfig."""

from appshield.errors import UnavailableError
from appshield.gateway.api.frame.callers import Caller
from appshield.kubernetes import Cluster, NotServedError
from appshield.kubernetes.identity import own_identity
from appshield.rights.brief import Answer, Brief

_USED_FOR_S = 60.0


class LocalUser:
    """Knows who the gateway itself is on the cluster: on one machine that is the local user."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: Brief[str, Caller] = Brief(entries_max=1)

    async def caller(self) -> Caller:
        """Say who that is.

        Raises:
            UnavailableError: the cluster cannot be asked, or does not say.
        """
        return await self._known.get("", self._ask)

    async def _ask(self) -> Answer[Caller]:
        try:
            found = await own_identity(self._cluster)
        except NotServedError as error:
            raise UnavailableError(
                "a login link cannot be used here",
                why="this cluster does not say who somebody is (Kubernetes before 1.28)",
                next_step="Log in with a token, as `kubectl create token` makes.",
            ) from error
        caller = Caller(
            name=found.username,
            groups=found.groups,
            uid=found.uid,
            extra=found.extra,
            how="session",
        )
        return Answer(caller, _USED_FOR_S)
