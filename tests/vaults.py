"""Vaults of a test's own, in the store of the installation: reached as the test wants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.kubernetes.kinds import SECRET, VAULT
from appshield.local.up import PRIMARY
from appshield.local.vaults import add_vault
from appshield.objectstore import S3Location
from appshield.vault.finding import SECRET_KEY, ClusterVaults
from installation import Installation


@asynccontextmanager
async def vault_at(
    installation: Installation, endpoint: str, *, purpose: str, secret_key: str = ""
) -> AsyncIterator[str]:
    """Set a Vault up where the installation's own is, then let its object name `endpoint`.

    With `secret_key` its Secret holds that one. Gives the name of the Vault.
    """
    name = f"{purpose}-{uuid4().hex[:6]}"
    known = await ClusterVaults(installation.cluster).access(PRIMARY)
    location = S3Location(
        endpoint=known.location.endpoint, bucket=known.location.bucket, prefix=name
    )
    await add_vault(
        installation.cluster,
        installation.home,
        name=name,
        location=location,
        credentials=known.credentials,
    )
    try:
        patch = {"spec": {"endpoint": endpoint or location.endpoint}}
        await installation.cluster.merge_patch(VAULT, name, patch)
        if secret_key:
            await installation.cluster.merge_patch(
                SECRET,
                f"vault-{name}-credentials",
                {"stringData": {SECRET_KEY: secret_key}},
                namespace=SYSTEM_NAMESPACE,
            )
        yield name
    finally:
        await installation.cluster.delete(VAULT, name)
        for secret in ("credentials", "key"):
            await installation.cluster.delete(
                SECRET, f"vault-{name}-{secret}", namespace=SYSTEM_NAMESPACE
            )
