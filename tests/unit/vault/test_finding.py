"""Finding a Vault in the cluster: what its object and its Secrets say."""

import base64

import pytest

from appshield.errors import DeniedError, NotFoundError, UnavailableError
from appshield.kubernetes import Kind, Object
from appshield.vault import export_root_key, new_root_key, vault_retention
from appshield.vault.finding import ClusterVaults
from appshield.vault.vault import repository_store

ROOT_KEY = new_root_key()
SPEC = {
    "endpoint": "https://s3.example.org",
    "bucket": "backups",
    "credentialsSecret": {"namespace": "system", "name": "s3"},
    "keySecret": {"namespace": "system", "name": "key"},
}
SECRETS = {
    "s3": {"accessKey": "AK", "secretKey": "SK", "sessionToken": "a-token"},
    "key": {"key": export_root_key(ROOT_KEY)},
    "ca": {"ca.crt": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"},
    "agents": {"accessKey": "agents", "secretKey": "less"},
    "empty": {},
}


class Objects:
    """A cluster that holds one Vault and its Secrets."""

    def __init__(self, **spec: object) -> None:
        self._spec = {**SPEC, **spec}
        self._version = 1
        self.away = False
        self.secrets_read = 0

    def change(self, **spec: object) -> None:
        """Write the Vault's document anew."""
        self._spec |= spec
        self._version += 1

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        if self.away:
            raise UnavailableError("the API server is away")
        self.secrets_read += kind.kind == "Secret"
        if kind.kind == "Vault":
            return {
                "apiVersion": "appshield.io/v1alpha1",
                "kind": "Vault",
                "metadata": {"name": name, "resourceVersion": str(self._version)},
                "spec": self._spec,
            }
        if name not in SECRETS:
            return None
        data = {k: base64.b64encode(v.encode()).decode() for k, v in SECRETS[name].items()}
        return {"metadata": {"name": name, "namespace": namespace}, "data": data}


async def test_everything_that_a_store_needs_is_found() -> None:
    """Key, secret, session token, root key."""
    access = await ClusterVaults(Objects()).access("main")
    credentials = access.credentials
    assert (credentials.access_key, credentials.secret_key) == ("AK", "SK")
    assert credentials.session_token == "a-token"
    assert access.root_key == ROOT_KEY
    assert access.location.ca_pem is None
    assert access.retention is None


async def test_authorities_of_the_vault_come_from_its_secret() -> None:
    """They are trusted for its store; without them the Vault is not opened."""
    reference = {"namespace": "system", "name": "ca"}
    access = await ClusterVaults(Objects(caSecret=reference)).access("main")
    assert access.location.ca_pem == SECRETS["ca"]["ca.crt"]
    with pytest.raises(DeniedError, match=r"no `ca\.crt`"):
        await ClusterVaults(Objects(caSecret={**reference, "name": "empty"})).access("main")
    with pytest.raises(NotFoundError, match="system/gone does not exist"):
        await ClusterVaults(Objects(caSecret={**reference, "name": "gone"})).access("main")


async def test_the_object_lock_of_the_vault_is_what_its_store_keeps() -> None:
    """Its days, and its mode where it names one."""
    access = await ClusterVaults(Objects(objectLock={"days": 30})).access("main")
    assert access.retention == vault_retention("governance", 30)
    lock = {"days": 7, "mode": "compliance"}
    access = await ClusterVaults(Objects(objectLock=lock)).access("main")
    assert access.retention == vault_retention("compliance", 7)


async def test_a_changed_vault_counts_from_its_next_use_on() -> None:
    """One that has become read-only is not written into by what was opened before."""
    objects = Objects()
    vaults = ClusterVaults(objects)
    first = await vaults.open("main")
    read = objects.secrets_read
    assert await vaults.open("main") is first
    assert objects.secrets_read == read, "Secrets are not read for each use"
    objects.change(readOnly=True)
    changed = await vaults.open("main")
    assert changed is not first
    assert await vaults.open("main") is changed


async def test_a_changed_secret_counts_soon_and_an_unchanged_one_leaves_the_vault_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Credentials are changed where somebody has got hold of them: the old ones are refused."""
    now_s = 0.0
    objects = Objects()
    vaults = ClusterVaults(objects, now_s=lambda: now_s)
    first = await vaults.open("main")
    read = objects.secrets_read
    now_s = 2.1
    assert await vaults.open("main") is first
    assert objects.secrets_read > read
    monkeypatch.setitem(SECRETS, "s3", {"accessKey": "AK2", "secretKey": "SK2"})
    assert await vaults.open("main") is first
    now_s = 4.2
    changed = await vaults.open("main")
    assert changed is not first
    objects.away, now_s = True, 34.1
    assert await vaults.open("main") is changed
    now_s = 34.3
    with pytest.raises(UnavailableError):
        await vaults.open("main")


async def test_a_vault_that_is_open_stays_so_while_the_api_server_is_away() -> None:
    """Work that needs nothing of the cluster goes on; one that nobody opened cannot be."""
    objects = Objects()
    vaults = ClusterVaults(objects)
    first = await vaults.open("main")
    objects.away = True
    assert await vaults.open("main") is first
    with pytest.raises(UnavailableError):
        await ClusterVaults(objects).open("main")


async def test_agents_are_lent_credentials_of_their_own_for_one_repository() -> None:
    """Without any they are lent the Vault's; the place is the application's repository alone."""
    access = await ClusterVaults(Objects()).access("main")
    assert access.agent_credentials is None
    assert repository_store(access, "a-1").credentials == access.credentials
    reference = {"namespace": "system", "name": "agents"}
    access = await ClusterVaults(Objects(agentCredentialsSecret=reference)).access("main")
    lent = repository_store(access, "a-1")
    assert (lent.credentials.access_key, lent.credentials.secret_key) == ("agents", "less")
    assert lent.location.prefix == "applications/a-1/repository"
    assert access.credentials.access_key == "AK"
