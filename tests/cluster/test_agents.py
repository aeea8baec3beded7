"""Agents of the node as they run: what their account in the cluster may."""

import pytest

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import DeniedError
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.kubernetes.kinds import CONFIG_MAP, POD, SECRET
from appshield.local.up import PRIMARY
from installation import Installation


async def test_the_account_of_agents_reads_pods_and_no_secret(installation: Installation) -> None:
    """Neither the Vault's, nor any other; it writes nothing."""
    kubeconfig = str(installation.home.agents / "kubeconfig")
    async with Cluster.connect(ClusterAccess(kubeconfig=kubeconfig)) as agent:
        await agent.list(POD, namespace=SYSTEM_NAMESPACE)
        for name in (f"vault-{PRIMARY}-key", f"vault-{PRIMARY}-credentials"):
            assert await installation.cluster.get(SECRET, name, SYSTEM_NAMESPACE)
            with pytest.raises(DeniedError):
                await agent.get(SECRET, name, SYSTEM_NAMESPACE)
        for namespace in ("", "default"):
            with pytest.raises(DeniedError):
                await agent.list(SECRET, namespace=namespace)
        with pytest.raises(DeniedError):
            await agent.create(CONFIG_MAP, {"metadata": {"name": "x"}}, namespace="default")
