"""Who somebody is to the API server."""

from collections.abc import Mapping

import msgspec

from appshield.kubernetes.cluster import Cluster
from appshield.kubernetes.kinds import Kind

_SELF_REVIEW = Kind(
    "authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False
)


class UserInfo(msgspec.Struct, frozen=True):
    """A user as the API server knows it."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = {}


async def own_identity(cluster: Cluster) -> UserInfo:
    """Ask the API server who we are there.

    Raises:
        NotServedError: it does not say (before Kubernetes 1.28).
    """
    review = {"apiVersion": _SELF_REVIEW.api_version, "kind": _SELF_REVIEW.kind, "metadata": {}}
    answer = await cluster.create(_SELF_REVIEW, review)
    return msgspec.convert(answer["status"]["userInfo"], UserInfo)
