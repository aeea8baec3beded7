"""Find a Vault by its name in the cluster: its object names the Secrets that open it.

A changed object counts from the next use on, a changed Secret at the first use two seconds later:
the steps of a small backup read it once. While the API server is away, what was read counts for
half a minute. Credentials and the root key are kept in memory for as long, and appear nowhere else.
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from appshield.errors import (
    DamagedError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import SECRET, VAULT
from appshield.language.in_force import vault_in_force
from appshield.language.protection import SecretReference
from appshield.language.resolved import ResolvedVault
from appshield.language.resolving import resolve_vault
from appshield.objectstore import S3Credentials, S3Location
from appshield.vault.access import RepositoryAccess, VaultAccess, vault_retention
from appshield.vault.root_key import import_root_key
from appshield.vault.vault import Vault, open_vault, repository_store

_FRESH_S = 2.0
_WITHOUT_ANSWER_S = 30.0
CA = "ca.crt"
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, ROOT_KEY = "accessKey", "secretKey", "sessionToken", "key"


class ClusterReader(Protocol):
    """The part of a cluster that is needed here."""

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Read one object, None when it is not there."""
        ...


class _Opened(msgspec.Struct, frozen=True):
    """A Vault as it was opened and by what; the version of its object, and when that was read."""

    vault: Vault
    access: VaultAccess
    version: str
    read_s: float


class ClusterVaults:
    """Opens Vaults that are objects of the cluster."""

    def __init__(
        self, cluster: ClusterReader, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._now_s = now_s
        self._opened: dict[str, _Opened] = {}

    async def open(self, name: str) -> Vault:
        """Open a Vault; Secrets that were read a moment ago are not read again.

        Raises:
            NotFoundError: the Vault or one of its Secrets does not exist.
            InvalidInputError: one of them is not as it should be.
        """
        return (await self._open(name)).vault

    async def repository_access(self, vault: str, app_id: str) -> RepositoryAccess:
        """Return what opens one application's repository, to be lent to an agent; as `open`."""
        opened = await self._open(vault)
        return await asyncio.to_thread(_repository_access, opened, app_id)

    async def _open(self, name: str) -> _Opened:
        known = self._opened.get(name)
        try:
            opened = await self._looked_at(name, known)
        except UnavailableError:
            if known is None or self._age_s(known) >= _WITHOUT_ANSWER_S:
                raise
            return known
        self._opened[name] = opened
        return opened

    async def _looked_at(self, name: str, known: _Opened | None) -> _Opened:
        """Return a Vault as its object and its Secrets say now; what has not changed stays open."""
        read_s = self._now_s()
        found = await self._cluster.get(VAULT, name)
        version = str(found["metadata"].get("resourceVersion")) if found is not None else ""
        if known is not None and known.version == version and self._age_s(known) < _FRESH_S:
            return known
        access = await self.access(name)
        if known is not None and known.access == access:
            return _Opened(known.vault, access, version, read_s)
        return _Opened(open_vault(access), access, version, read_s)

    def _age_s(self, known: _Opened) -> float:
        return self._now_s() - known.read_s

    async def access(self, name: str) -> VaultAccess:
        """Read what is needed to open a Vault."""
        document = await self._document(name)
        key = await self._secret(document.key_secret, name)
        lock, agents = document.object_lock, document.agent_credentials_secret
        return VaultAccess(
            name=name,
            location=S3Location(
                endpoint=document.endpoint,
                bucket=document.bucket,
                prefix=document.prefix,
                region=document.region,
                addressing=document.addressing,
                ca_pem=await self._authorities(document.ca_secret, name),
            ),
            credentials=await self._credentials(document.credentials_secret, name),
            root_key=import_root_key(_value(key, ROOT_KEY, name)),
            read_only=document.read_only,
            retention=vault_retention(lock.mode, lock.days) if lock else None,
            agent_credentials=await self._credentials(agents, name) if agents else None,
        )

    async def _credentials(self, reference: SecretReference, vault: str) -> S3Credentials:
        secret = await self._secret(reference, vault)
        return S3Credentials(
            access_key=_value(secret, ACCESS_KEY, vault),
            secret_key=_value(secret, SECRET_KEY, vault),
            session_token=secret.get(SESSION_TOKEN, ""),
        )

    async def _authorities(self, reference: SecretReference | None, vault: str) -> str | None:
        if reference is None:
            return None
        return _value(await self._secret(reference, vault), CA, vault)

    async def _document(self, name: str) -> ResolvedVault:
        found = await self._cluster.get(VAULT, name)
        if found is None:
            raise NotFoundError(
                f"Vault {name} does not exist",
                next_step="`appshield vault add` makes one; `kubectl get vaults` lists them.",
            )
        document, refused = vault_in_force(found)
        if document is None:
            raise InvalidInputError(
                f"Vault {name} cannot be opened",
                why=f"its document is refused, and none was accepted before: {refused}",
                next_step="Correct the document and apply it again.",
            )
        return resolve_vault(document)

    async def _secret(self, reference: SecretReference, vault: str) -> dict[str, str]:
        found = await self._cluster.get(SECRET, reference.name, reference.namespace)
        if found is None:
            raise NotFoundError(
                f"Secret {reference.namespace}/{reference.name} does not exist",
                why=f"Vault {vault} names it",
                next_step="Create it, or correct the Vault.",
            )
        return _decoded(found)


def _repository_access(opened: _Opened, app_id: str) -> RepositoryAccess:
    shelf = opened.vault.application(app_id)
    recovery = None
    with contextlib.suppress(DamagedError):
        recovery = shelf.recovery()
    return RepositoryAccess(
        repository_store(opened.access, app_id), shelf.repository_password(), recovery
    )


def _decoded(secret: Object) -> dict[str, str]:
    data: dict[str, Any] = secret.get("data") or {}
    try:
        return {name: base64.b64decode(value).decode().strip() for name, value in data.items()}
    except ValueError as error:
        meta = secret["metadata"]
        raise InvalidInputError(
            f"Secret {meta['namespace']}/{meta['name']} holds something that is no text",
            why="keys and credentials of a Vault are text",
            next_step="Write its values anew.",
        ) from error


def _value(secret: dict[str, str], name: str, vault: str) -> str:
    if not secret.get(name):
        raise DeniedError(
            f"Vault {vault} cannot be opened",
            why=f"its Secret holds no `{name}`",
            next_step="Add it to the Secret.",
        )
    return secret[name]
