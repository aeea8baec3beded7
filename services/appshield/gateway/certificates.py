"""TLS of the API: a certificate and a key from files, read again when they have changed."""

import asyncio
import ssl
from pathlib import Path

import structlog

from appshield.errors import InvalidInputError
from appshield.gateway.tls import server_context
from appshield.service import pause

_EVERY_S = 30.0


class CertificateFiles:
    """A TLS context that follows its files; who connects meanwhile sees the certificate of before.

    Raises:
        InvalidInputError: the files hold no certificate and key that fit.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = server_context()
        self._read_at = self._changed_at()
        self._load()

    async def keep(self, stopping: asyncio.Event) -> None:
        """Follow the files until told to stop."""
        while not stopping.is_set():
            await pause(stopping, _EVERY_S)
            self.look()

    def look(self) -> None:
        """Read the files again if they have changed; a broken pair is logged, and left alone."""
        try:
            changed_at = self._changed_at()
            if changed_at == self._read_at:
                return
            self._load()
        except InvalidInputError as error:
            structlog.get_logger().warning("the certificate of before is used", problem=str(error))
        else:
            self._read_at = changed_at
            structlog.get_logger().info("certificate read again")

    def _changed_at(self) -> tuple[int, ...]:
        try:
            return tuple(file.stat().st_mtime_ns for file in self._files)
        except OSError as error:
            raise self._unusable(error) from error

    def _load(self) -> None:
        try:
            # into another one first: half of a broken pair must not stay in the one that serves
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self.context.load_cert_chain(*self._files)
        except OSError as error:  # an SSLError is one as well
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> InvalidInputError:
        return InvalidInputError(
            f"the certificate {self._files[0]} with the key {self._files[1]} cannot be used",
            why=error.strerror or "they are none, or do not fit together",
            next_step="Correct APPSHIELD_GATEWAY_TLS_CERTIFICATE_FILE and _TLS_KEY_FILE.",
        )
