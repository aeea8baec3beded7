"""Make a Vault known to the cluster: its bucket, its Secrets, its object, and a copy of its key.

Doing it again changes nothing. The root key is made once, or given; it is also kept in a private
file, for the day on which the cluster is gone.
"""

import asyncio
import base64
import socket
from pathlib import Path

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import DeniedError, InvalidInputError, NotFoundError, RefusedError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import SECRET, VAULT
from appshield.language.kinds import API_VERSION
from appshield.local.home import Home
from appshield.local.system_namespace import ensure_system_namespace
from appshield.objectstore import Retention, S3Credentials, S3Location
from appshield.objectstore.bucket import ensure_bucket
from appshield.podvolumes import MANAGED
from appshield.vault import (
    VaultAccess,
    export_root_key,
    import_root_key,
    new_root_key,
    open_vault,
)
from appshield.vault.access import DAY_S
from appshield.vault.finding import (
    ACCESS_KEY,
    CA,
    ROOT_KEY,
    SECRET_KEY,
    SESSION_TOKEN,
    ClusterVaults,
)

SET_UP_FROM = "appshield.io/set-up-from"
"""The annotation of a Vault that says which installation set it up."""


async def add_vault(
    cluster: Cluster,
    home: Home,
    *,
    name: str,
    location: S3Location,
    credentials: S3Credentials,
    agent_credentials: S3Credentials | None = None,
    root_key: bytes | None = None,
    read_only: bool = False,
    retention: Retention | None = None,
    make_bucket: bool = True,
) -> VaultAccess:
    """Set a Vault up, in the bucket and in the cluster.

    Without `make_bucket` the bucket is there; what makes one takes 20 MiB to import.

    Raises:
        DeniedError: the bucket holds a Vault with another root key, or refuses the credentials.
        RefusedError: the bucket cannot keep objects, and `retention` asks for it.
        UnavailableError: the store cannot be reached.
    """
    key = root_key or await _known_key(cluster, home, name) or new_root_key()
    access = VaultAccess(
        name=name,
        location=location,
        credentials=credentials,
        root_key=key,
        read_only=read_only,
        retention=retention,
        agent_credentials=agent_credentials,
    )
    if not read_only:
        if make_bucket:
            await ensure_bucket(location, credentials, object_lock=retention is not None)
        await asyncio.to_thread(open_vault(access).initialize)
    else:
        await asyncio.to_thread(open_vault(access).vault_id)
    _keep_key(home, name, key)
    await _install(cluster, access, origin=f"{home.folder} on {socket.gethostname()}")
    return access


async def ensure_free_or_ours(cluster: Cluster, name: str, credentials: S3Credentials) -> None:
    """Make sure that a Vault of this name, if the cluster has one, is in the store of this key.

    Raises:
        RefusedError: it is elsewhere, and nobody would find its versions if it were replaced.
    """
    try:
        known = await ClusterVaults(cluster).access(name)
    except (NotFoundError, DeniedError, InvalidInputError):
        return  # there is none, or none that anybody could use
    if known.credentials.access_key == credentials.access_key:
        return
    found = await cluster.get(VAULT, name)
    annotations = (found or {"metadata": {}})["metadata"].get("annotations") or {}
    origin = annotations.get(SET_UP_FROM)
    raise RefusedError(
        f"Vault {name} of this cluster is not in the object store of this installation",
        why=f"it is in {known.location}" + (f", set up from {origin}" if origin else ""),
        next_step="Run that installation (APPSHIELD_HOME names its folder), or this one without a "
        "store of its own (APPSHIELD_STORE=none). `appshield up --take-over` gives the name to "
        "this one; versions in the other store are not found any more then.",
    )


async def _known_key(cluster: Cluster, home: Home, name: str) -> bytes | None:
    file = key_file(home, name)
    if file.exists():
        return import_root_key(file.read_text())
    found = await cluster.get(SECRET, f"vault-{name}-key", SYSTEM_NAMESPACE)
    if found is None:
        return None
    return import_root_key(base64.b64decode(found["data"][ROOT_KEY]).decode())


def key_file(home: Home, name: str) -> Path:
    """Name the file that holds the copy of a Vault's root key."""
    return home.root_keys / f"{name}.key"


def exported_key(home: Home, name: str) -> str:
    """Give the root key of a Vault as text to be kept in a safe place.

    Raises:
        NotFoundError: this installation has no such Vault.
    """
    file = key_file(home, name)
    if not file.exists():
        raise NotFoundError(
            f"the root key of Vault {name} is not on this machine",
            why=f"{file} does not exist",
            next_step=f"It is in Secret {SYSTEM_NAMESPACE}/vault-{name}-key of the cluster.",
        )
    return file.read_text().strip()


def _keep_key(home: Home, name: str, key: bytes) -> None:
    file = key_file(home, name)
    home.root_keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file.exists():
        if import_root_key(file.read_text()) != key:
            raise DeniedError(
                f"the root key of Vault {name} on this machine is another one",
                why=f"{file} holds a different key",
                next_step="Choose another name for the Vault, or move that file away.",
            )
        return
    file.touch(mode=0o600)
    file.write_text(export_root_key(key) + "\n")


async def _install(cluster: Cluster, access: VaultAccess, *, origin: str) -> None:
    await ensure_system_namespace(cluster)
    key = {ROOT_KEY: export_root_key(access.root_key)}
    credentials = _written(access.credentials)
    await cluster.apply(SECRET, _secret(f"vault-{access.name}-credentials", credentials))
    if access.agent_credentials is not None:
        of_agents = _written(access.agent_credentials)
        await cluster.apply(SECRET, _secret(f"vault-{access.name}-agents", of_agents))
    await cluster.apply(SECRET, _secret(f"vault-{access.name}-key", key))
    if access.location.ca_pem:
        authorities = {CA: access.location.ca_pem}
        await cluster.apply(SECRET, _secret(f"vault-{access.name}-ca", authorities))
    await cluster.apply(VAULT, _document(access, origin))


def _written(credentials: S3Credentials) -> dict[str, str]:
    values = {ACCESS_KEY: credentials.access_key, SECRET_KEY: credentials.secret_key}
    if credentials.session_token:
        values[SESSION_TOKEN] = credentials.session_token
    return values


def _secret(name: str, values: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": dict(MANAGED)},
        "type": "Opaque",
        "data": {k: base64.b64encode(v.encode()).decode() for k, v in values.items()},
    }


def _document(access: VaultAccess, origin: str) -> Object:
    location = access.location
    spec: Object = {
        "endpoint": location.endpoint,
        "bucket": location.bucket,
        "region": location.region,
        "addressing": location.addressing,
        "credentialsSecret": {
            "namespace": SYSTEM_NAMESPACE,
            "name": f"vault-{access.name}-credentials",
        },
        "keySecret": {"namespace": SYSTEM_NAMESPACE, "name": f"vault-{access.name}-key"},
    }
    if access.agent_credentials is not None:
        spec["agentCredentialsSecret"] = {
            "namespace": SYSTEM_NAMESPACE,
            "name": f"vault-{access.name}-agents",
        }
    if location.prefix:
        spec["prefix"] = location.prefix
    if access.read_only:
        spec["readOnly"] = True
    if location.ca_pem:
        spec["caSecret"] = {"namespace": SYSTEM_NAMESPACE, "name": f"vault-{access.name}-ca"}
    if access.retention is not None:
        days = round(access.retention.lasts_s / DAY_S)
        spec["objectLock"] = {"mode": access.retention.mode, "days": days}
    return {
        "apiVersion": API_VERSION,
        "kind": "Vault",
        "metadata": {"name": access.name, "annotations": {SET_UP_FROM: origin}},
        "spec": spec,
    }
