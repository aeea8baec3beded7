"""Whose Vault it is that the cluster knows by a name: told by the access key of its store."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import RefusedError
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import SECRET, VAULT
from appshield.local.home import Home
from appshield.local.vaults import add_vault, ensure_free_or_ours
from appshield.objectstore import S3Credentials, S3Location
from fake_kubernetes import FakeKubernetes

OTHERS = S3Credentials(access_key="another", secret_key="installation")


async def test_only_a_vault_that_somebody_else_uses_is_refused(
    s3_folder: S3Location, s3_credentials: S3Credentials, tmp_path: Path
) -> None:
    """The refusal names its place and its home; without its Secret nobody can use it."""
    home = Home(folder=tmp_path / "first", cache=tmp_path)
    async with FakeKubernetes() as fake, Cluster.connect(fake.access) as cluster:
        await ensure_free_or_ours(cluster, "main", OTHERS)  # a cluster that knows no Vaults
        fake.serve(VAULT)
        await ensure_free_or_ours(cluster, "main", OTHERS)
        await add_vault(cluster, home, name="main", location=s3_folder, credentials=s3_credentials)
        await ensure_free_or_ours(cluster, "main", s3_credentials)
        await ensure_free_or_ours(cluster, "main", replace(s3_credentials, secret_key="rotated"))
        await ensure_free_or_ours(cluster, "another", OTHERS)
        with pytest.raises(RefusedError, match="Vault main of this cluster") as refused:
            await ensure_free_or_ours(cluster, "main", OTHERS)
        assert str(s3_folder) in refused.value.why
        assert str(home.folder) in refused.value.why
        await cluster.delete(SECRET, "vault-main-credentials", namespace=SYSTEM_NAMESPACE)
        await ensure_free_or_ours(cluster, "main", OTHERS)
