"""Who asks a registry: what Secrets of an application say. Pure; nothing here is ever shown."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import msgspec

_KEYS = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}
_DEFAULT_HOSTS = frozenset({"index.docker.io", "registry-1.docker.io"})


class RegistryCredentials(msgspec.Struct, frozen=True):
    """A user and a password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "RegistryCredentials(…)"

    def header(self) -> str:
        """Write them as HTTP does."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def credentials_in(objects: Iterable[dict[str, Any]]) -> dict[str, RegistryCredentials]:
    """Read the credentials for each registry from Secrets among the objects.

    What is no Secret for a registry, or cannot be read, says nothing.
    """
    found: dict[str, RegistryCredentials] = {}
    for obj in objects:
        key = _KEYS.get(str(obj.get("type"))) if obj.get("kind") == "Secret" else None
        if key is None:
            continue
        try:
            document = msgspec.json.decode(base64.b64decode((obj.get("data") or {})[key]))
            entries = document.get("auths", {}) if key == ".dockerconfigjson" else document
            found |= {_host(place): _credentials(one) for place, one in entries.items()}
        except (KeyError, AttributeError, ValueError, TypeError, msgspec.DecodeError):
            continue
    return found


def _credentials(entry: dict[str, str]) -> RegistryCredentials:
    if "auth" in entry:
        try:
            text = base64.b64decode(entry["auth"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("no credentials") from error
        user, _, password = text.partition(":")
        return RegistryCredentials(user, password)
    return RegistryCredentials(entry["username"], entry["password"])


def _host(place: str) -> str:
    host = place.partition("://")[2] or place
    host = host.partition("/")[0]
    return "docker.io" if host in _DEFAULT_HOSTS else host
