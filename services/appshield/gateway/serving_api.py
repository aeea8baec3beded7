"""The REST API as it is served: its ports over the bus and the cluster, its limits, its socket."""

import asyncio
import hmac
import socket
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import structlog

from appshield.bus import BusAccess, Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.errors import AppShieldError, InvalidInputError
from appshield.gateway.access.authenticating import (
    FAILURES_BURST,
    FAILURES_PER_S,
    Authenticating,
    Limits,
)
from appshield.gateway.access.claims import Claims
from appshield.gateway.access.limits import Buckets
from appshield.gateway.access.local_user import LocalUser
from appshield.gateway.access.oidc import OidcTokens, Provider
from appshield.gateway.access.oidc_login import Client, OidcLogin
from appshield.gateway.access.provider_requests import ProviderRequests
from appshield.gateway.access.sessions import Sessions
from appshield.gateway.access.signing_keys import SigningKeys
from appshield.gateway.access.tokens import ClusterTokens
from appshield.gateway.api.application import api
from appshield.gateway.api.frame.audit_on_bus import BusAuditor
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.clusters import OneCluster
from appshield.gateway.api.frame.description import PATH as DOCS_PATH
from appshield.gateway.api.known.progress import HeardProgress
from appshield.gateway.api.known.watched_views import WatchedViews
from appshield.gateway.api.live.listeners import Feed
from appshield.gateway.certificates import CertificateFiles
from appshield.gateway.hardening import Hardened
from appshield.gateway.measuring import VaultMeasures
from appshield.gateway.opened_versions import OpenedVersions
from appshield.gateway.remembering_audit import RememberingAudit
from appshield.gateway.replaying import ParkedMessages
from appshield.gateway.serving import Server
from appshield.gateway.settings import Settings
from appshield.gateway.unprotected_workloads import UnprotectedWorkloads
from appshield.gateway.website import Website
from appshield.kubernetes import Cluster
from appshield.rights.access import Access
from appshield.rights.restoring import ClusterKinds
from appshield.rights.reviews import Reviews
from appshield.service import Joined, SystemClock, pause
from appshield.vault.finding import ClusterVaults

_CLUSTER_PAUSE_S = 2.0


class ServedApi:
    """Serves the API; while the cluster is away nobody can be recognized, so it waits for it.

    Raises:
        InvalidInputError: what the settings name cannot be used, or the port is somebody else's.
    """

    def __init__(
        self, service: Joined, settings: Settings, records: Watchable[ApplicationRecord]
    ) -> None:
        self._service = service
        self._settings = settings
        self._oidc = _oidc(settings)
        self._certificate = _certificate(settings)
        self._sessions = Sessions(service.bus, SystemClock())
        self._views = WatchedViews(service.bus, records)
        self._progress = HeardProgress(SystemClock())
        self._listening = _listening(settings.http_host, settings.http_port)
        self._problem = "the cluster was not reached yet"
        service.health.add("api", self.problems)

    async def problems(self) -> str:
        """Say why the API does not answer, for the readiness of the service."""
        return self._problem

    async def serve(self) -> None:
        """Serve until told to stop."""
        stopping = self._service.stopping
        access = self._settings.cluster_access()
        if self._certificate is not None:
            self._service.run(self._certificate.keep(stopping), "certificate of the API")
        self._service.run(self._views.keep(stopping), "views")
        self._service.run(self._progress.keep(self._service.bus, stopping), "progress")
        while not stopping.is_set():
            try:
                async with Cluster.connect(access) as cluster:
                    self._problem = ""
                    await self._serve_over(cluster)
            except AppShieldError as error:
                self._problem = str(error)
                structlog.get_logger().warning("the API is not served", problem=str(error))
                await pause(stopping, _CLUSTER_PAUSE_S)

    async def _serve_over(self, cluster: Cluster) -> None:
        """Serve, tell listeners what changes, and keep the end of the audit, until told to stop."""
        stopping, access = self._service.stopping, Access(Reviews(cluster.requests.send))
        feed = Feed(self._views, access, SystemClock(), self._settings.cluster)
        contents = OpenedVersions(ClusterVaults(cluster).access)
        server = self._server(cluster, access, feed, contents)
        with (
            closing(contents),
            self._views.heard_by(feed),
            self._progress.heard_by(feed.progressed),
        ):
            remembering = RememberingAudit(self._service.bus, cluster, SystemClock())
            beside = [
                asyncio.create_task(feed.keep(stopping), name="feed"),
                asyncio.create_task(remembering.keep(stopping), name="memory of the audit"),
            ]
            try:
                await server.serve_until(stopping)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    def _server(
        self, cluster: Cluster, access: Access, feed: Feed, contents: OpenedVersions
    ) -> Server:
        settings = self._settings
        authenticating = Authenticating(
            cluster=ClusterTokens(cluster.requests.send, settings.token_audiences),
            oidc=self._oidc,
            local=LocalUser(cluster),
            sessions=self._sessions,
            limits=Limits(
                requests=Buckets(per_s=settings.requests_per_s, burst=settings.requests_burst),
                failures=Buckets(per_s=FAILURES_PER_S, burst=FAILURES_BURST),
            ),
            login_folder=Path(settings.login_folder) if settings.login_folder else None,
            provider=_login(settings, self._oidc),
        )
        bus, clock, clusters = self._service.bus, SystemClock(), OneCluster(cluster)
        backend = Backend(
            bus=bus,
            cluster=settings.cluster,
            views=self._views,
            access=access,
            authenticator=authenticating,
            logins=authenticating,
            kinds=ClusterKinds(cluster),
            feed=feed,
            progress=self._progress,
            dead_letters=ParkedMessages(bus, _operator(settings)),
            clock=clock,
            clusters=clusters,
            contents=contents,
            measures=VaultMeasures(ClusterVaults(cluster).access, clock),
            workloads=UnprotectedWorkloads(clusters.own),
            auditor=BusAuditor(bus, settings.cluster, clock),
            identity_key=_identity_key(settings),
        )
        website = Website(api(backend, version("appshield")))
        application = Hardened(website, hosts=settings.http_names, pages=(DOCS_PATH,))
        structlog.get_logger().info(
            "API served", host=settings.http_host, port=self._listening.getsockname()[1]
        )
        tls = self._certificate.context if self._certificate is not None else None
        return Server(application, self._listening, tls=tls, proxies=settings.trusted_proxies)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InvalidInputError(
            f"the REST API cannot listen on {host}:{port}",
            why=error.strerror or type(error).__name__,
            next_step="Set APPSHIELD_GATEWAY_HTTP_PORT to a free one, or 0.",
        ) from error


def _oidc(settings: Settings) -> OidcTokens | None:
    if not settings.oidc_issuer:
        return None
    claims = Claims(
        username=settings.oidc_username_claim,
        username_prefix=settings.oidc_username_prefix,
        groups=settings.oidc_groups_claim,
        groups_prefix=settings.oidc_groups_prefix,
    )
    provider = Provider(issuer=settings.oidc_issuer, audience=settings.oidc_audience, claims=claims)
    return OidcTokens(provider, SigningKeys(_requests(settings)))


def _login(settings: Settings, tokens: OidcTokens | None) -> OidcLogin | None:
    if tokens is None or not settings.oidc_login_name:
        return None
    client = Client(
        name=settings.oidc_login_name,
        client_id=settings.oidc_audience,
        secret_file=settings.oidc_client_secret_file,
        scopes=settings.oidc_scopes,
    )
    return OidcLogin(client, _requests(settings), tokens)


def _requests(settings: Settings) -> ProviderRequests:
    return ProviderRequests(settings.oidc_issuer, ca_file=settings.oidc_ca_file)


def _identity_key(settings: Settings) -> bytes:
    """Make a key of the gateways' own seed: who knows that may ask in any name as it is."""
    file = settings.nats_seed_file
    seed = Path(file).read_bytes().strip() if file else b""
    return hmac.digest(seed, b"identities of requests", "sha256")


def _operator(settings: Settings) -> BusAccess | None:
    if not settings.operator_seed_file:
        return None
    return BusAccess(
        url=settings.nats_url,
        user="operator",
        seed_file=settings.operator_seed_file,
        ca_file=settings.nats_ca_file,
    )


def _certificate(settings: Settings) -> CertificateFiles | None:
    if not settings.tls_certificate_file:
        return None
    return CertificateFiles(Path(settings.tls_certificate_file), Path(settings.tls_key_file))
