"""Where the API server is and how to prove who asks.

kubernetes_asyncio reads kubeconfig files and the pod's own account, builds TLS and renews tokens;
nothing else of it is used. Its texts quote parts of a kubeconfig, tokens included, so none of
them is passed on.
"""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yaml
import yarl

from appshield.errors import DeniedError, InvalidInputError
from appshield.kubernetes.pacing import Pace
from appshield.kubernetes.transport import (
    ConfigException,
    Configuration,
    KubeConfigLoader,
    RESTClientObject,
    load_incluster_config,
    load_kube_config,
)

DEFAULT_KUBECONFIG = "~/.kube/config"
CREDENTIALS_LIVE_S = 60.0
PLUGIN_TIMEOUT_S = 60.0


class ClusterAccess(msgspec.Struct, frozen=True):
    """Which cluster to use, as a person names it.

    With a kubeconfig or a context: that file (default: `$KUBECONFIG`, then `~/.kube/config`) and
    context (default: the current one). With neither: `$KUBECONFIG` where it is set, else the
    account of the pod this runs in, else `~/.kube/config`.

    A connection sends `requests_per_s` requests for long and `requests_burst` at once; 0 for no
    limit of our own.
    """

    kubeconfig: str = ""
    context: str = ""
    requests_per_s: float = 0
    requests_burst: int = 1


def with_token_file(access: ClusterAccess, token_file: Path) -> dict[str, Any]:
    """Write a kubeconfig for the same cluster, for whoever the token in this file is of.

    Raises:
        InvalidInputError: no kubeconfig names the cluster, or it cannot be read.
    """
    files = access.kubeconfig or os.environ.get("KUBECONFIG", "") or DEFAULT_KUBECONFIG
    context = access.context or _current_context(files)
    _require_context(files, context)
    documents = list(zip(_present(files), _documents(files), strict=True))
    wanted = next(
        entry["context"]["cluster"]
        for _, document in documents
        for entry in document.get("contexts") or []
        if entry["name"] == context
    )
    for path, document in documents:
        for entry in document.get("clusters") or []:
            if entry["name"] == wanted:
                return _kubeconfig_of(_absolute(entry["cluster"], path.parent), str(token_file))
    raise InvalidInputError(
        f"kubeconfig {files} has no cluster {wanted}", why=f"context {context} names it"
    )


def _kubeconfig_of(cluster: dict[str, Any], token_file: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "account", "user": {"tokenFile": token_file}}],
        "contexts": [{"name": "agents", "context": {"cluster": "cluster", "user": "account"}}],
        "current-context": "agents",
    }


def _absolute(cluster: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Name the file of the authorities so that it is found from elsewhere, too."""
    name = "certificate-authority"
    return {**cluster, name: str(folder / cluster[name])} if name in cluster else cluster


class Connection:
    """An HTTP session to one API server, with credentials that renew themselves.

    `server` is its address, `origin` says in words where address and credentials come from.
    Whoever sends a request takes a turn at its `pace` before.
    """

    def __init__(
        self,
        configuration: Configuration,
        transport: RESTClientObject,
        credentials: "_Credentials",
        pace: Pace,
    ) -> None:
        self.server = str(configuration.host)
        self.pace = pace
        self.origin = credentials.origin
        self._configuration = configuration
        self._transport = transport
        self._credentials = credentials

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session that TLS and the client certificate are set on."""
        session: aiohttp.ClientSession = self._transport.pool_manager
        return session

    def url(self, path: str, query: str) -> yarl.URL:
        """Return the address of `path`; both parts are already percent-encoded."""
        text = f"{self.server}{path}?{query}" if query else f"{self.server}{path}"
        return yarl.URL(text, encoded=True)

    async def authorization(self) -> dict[str, str]:
        """Return the header that carries the token, none with a client certificate.

        Raises DeniedError when an expired token cannot be renewed.
        """
        settings = await self._configuration.auth_settings()
        return {entry["key"]: entry["value"] for entry in settings.values()}

    def expire_credentials(self) -> None:
        """Let the next request read the credentials anew: the server refused these."""
        self._credentials.expire()

    def route(self) -> dict[str, Any]:
        """Return the arguments of a request that name the proxy and the TLS server name."""
        options = {
            "proxy": self._transport.proxy,
            "proxy_headers": self._transport.proxy_headers,
            "server_hostname": self._transport.server_hostname,
        }
        return {name: value for name, value in options.items() if value}


@asynccontextmanager
async def connection(access: ClusterAccess) -> AsyncIterator[Connection]:
    """Yield a connection as `access` says; closes it at the end. Sends nothing yet.

    Raises InvalidInputError for a file, context or certificate that cannot be used, and
    DeniedError when the kubeconfig's credential plugin fails.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = 0  # watches hold connections; a limit would starve
    # Go's TLS and kubectl accept certificates without these extensions, so must this.
    configuration.disable_strict_ssl_verification = True
    credentials = await _configure(configuration, access)
    try:
        transport = RESTClientObject(configuration)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(
            f"the certificates of {credentials.origin} cannot be used",
            why=error.strerror or type(error).__name__,
            next_step="Check its certificate-authority, client-certificate and client-key.",
        ) from error
    pace = Pace(per_s=access.requests_per_s, burst=access.requests_burst)
    try:
        yield Connection(configuration, transport, credentials, pace)
    finally:
        await transport.close()


async def _configure(configuration: Configuration, access: ClusterAccess) -> "_Credentials":
    named = access.kubeconfig or os.environ.get("KUBECONFIG", "")
    if not named and not access.context and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _use_account_of_pod(configuration)
    return await _use_kubeconfig(configuration, named or DEFAULT_KUBECONFIG, access.context)


def _use_account_of_pod(configuration: Configuration) -> "_Credentials":
    try:
        load_incluster_config(configuration)
    except ConfigException as error:
        raise InvalidInputError(
            "this runs in a pod that may not talk to the API server",
            why=str(error),
            next_step="Give the pod a service account and let its token be mounted.",
        ) from error
    return _Credentials("the pod's service account")  # the package reads its token every minute


async def _use_kubeconfig(configuration: Configuration, files: str, context: str) -> "_Credentials":
    context = context or await asyncio.to_thread(_current_context, files)
    await asyncio.to_thread(_require_context, files, context)
    origin = f"kubeconfig {files}, context {context}"
    try:
        async with asyncio.timeout(PLUGIN_TIMEOUT_S):
            # Nothing is written back: the package's own way of doing so fails.
            loader = await load_kube_config(files, context, configuration, persist_config=False)
    except TimeoutError:  # an OSError too, so it comes first
        raise _unanswered(origin) from None
    except (ConfigException, OSError, ValueError, TypeError, AttributeError, KeyError):
        raise _unusable(origin) from None  # the package's text may quote a token
    if not hasattr(loader, "host"):
        raise InvalidInputError(f"{origin} names no server", next_step="Add `server:` to it.")
    credentials = _KubeconfigCredentials(origin, loader)
    configuration.refresh_api_key_hook = credentials.renew
    return credentials


def _unusable(origin: str) -> InvalidInputError:
    return InvalidInputError(
        f"{origin} cannot be used",
        why="an entry or a file it names is missing, or its credential plugin failed",
        next_step="Try `kubectl get namespaces` with the same file and context.",
    )


def _unanswered(origin: str) -> DeniedError:
    return DeniedError(
        f"the credential plugin of {origin} did not answer",
        why=f"nothing came within {PLUGIN_TIMEOUT_S:.0f} s",
        next_step="Run it by hand: it may wait for a login.",
    )


class _Credentials:
    """Credentials that need no care; `origin` says where they come from."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def expire(self) -> None:
        """Note that the server refused them."""


class _KubeconfigCredentials(_Credentials):
    """Reads a kubeconfig's credentials again when they may have changed.

    Token files rotate and plugins hand out short-lived tokens; each is asked at most once a
    minute or after a refusal, a plugin that states an expiry only when that comes near.
    """

    def __init__(self, origin: str, loader: KubeConfigLoader) -> None:
        super().__init__(origin)
        self._loader = loader
        self._read_at = time.monotonic()
        self._reading = asyncio.Lock()

    def expire(self) -> None:
        self._read_at = float("-inf")

    async def renew(self, configuration: Configuration) -> None:
        """Put the present credentials into `configuration`."""
        async with self._reading:
            if time.monotonic() - self._read_at < CREDENTIALS_LIVE_S:
                return
            try:
                async with asyncio.timeout(PLUGIN_TIMEOUT_S):
                    await self._loader.load_and_set(configuration)
            except TimeoutError:  # an OSError too, so it comes first
                raise _unanswered(self.origin) from None
            except (ConfigException, OSError, ValueError):
                raise DeniedError(
                    f"the credentials of {self.origin} cannot be renewed",
                    why="their file is gone or their plugin failed",
                    next_step="Log in again with the tool that made them.",
                ) from None
            self._read_at = time.monotonic()


def _present(files: str) -> list[Path]:
    paths = [Path(file).expanduser() for file in files.split(os.pathsep) if file]
    return [path for path in paths if path.is_file()]


def _documents(files: str) -> list[dict[str, Any]]:
    present = _present(files)
    if not present:
        raise InvalidInputError(
            f"there is no kubeconfig {files}",
            next_step="Name one with --kubeconfig or KUBECONFIG, or start a local cluster.",
        )
    return [_document(path) for path in present]


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"kubeconfig {path} cannot be read", why=str(error)) from error
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        raise InvalidInputError(
            f"kubeconfig {path} is not a kubeconfig",
            why="it is no YAML mapping",
            next_step="Name another file.",
        )
    return document


def _current_context(files: str) -> str:
    for document in reversed(_documents(files)):
        if document.get("current-context"):
            return str(document["current-context"])
    raise InvalidInputError(
        f"kubeconfig {files} has no current context",
        next_step="Name one with --context, or run `kubectl config use-context`.",
    )


def _require_context(files: str, context: str) -> None:
    entries = [entry for doc in _documents(files) for entry in doc.get("contexts") or []]
    names = [entry["name"] for entry in entries if isinstance(entry, dict) and "name" in entry]
    if context not in names:
        raise InvalidInputError(
            f"kubeconfig {files} has no context {context}",
            why=f"it has {', '.join(map(str, names)) or 'none'}",
            next_step="Name one of them with --context.",
        )
