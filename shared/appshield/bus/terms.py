"""On what terms a server is spoken to, and what its refusals mean in AppShield's words."""

import ssl
from pathlib import Path

import nats.errors

from appshield.bus.access import BusAccess
from appshield.bus.errors import NobodyAnswersError, SilentError
from appshield.bus.keys import public_key
from appshield.errors import DeniedError, InvalidInputError, UnavailableError

OLDEST_SERVER = (2, 12)
"""The first NATS release with durable `@at` schedules."""


def ensure_usable(access: BusAccess) -> None:
    """Raise InvalidInputError when a password stands in the URL, or there is no key in the file."""
    if "@" in access.url:
        raise InvalidInputError(
            "the URL of the message bus holds a user or a password",
            why="a URL is shown in logs and errors",
            next_step="Leave them out, and name the file that holds the user's nkey seed",
        )
    if not access.seed_file:
        return
    try:
        public_key(Path(access.seed_file).read_text())
    except OSError as error:
        raise InvalidInputError(
            f"the key file {access.seed_file} of the bus user {access.user} cannot be read",
            why=error.strerror or "",
            next_step="Set it to the file that holds the user's nkey seed",
        ) from error
    except ValueError as error:
        raise InvalidInputError(
            f"the key file {access.seed_file} of the bus user {access.user} holds no nkey seed"
        ) from error


def tls_context(access: BusAccess) -> ssl.SSLContext | None:
    """Return whom to trust, None for a connection without TLS.

    Raises:
        InvalidInputError: the file of certificates cannot be used.
    """
    if not access.ca_file and not access.url.startswith("tls://"):
        return None
    try:
        return ssl.create_default_context(cafile=access.ca_file or None)
    except OSError as error:
        raise InvalidInputError(
            f"the certificates in {access.ca_file} cannot be used", why=str(error)
        ) from error


def ensure_new_enough(access: BusAccess, major: int, minor: int, patch: int) -> None:
    """Raise InvalidInputError when the server lacks what AppShield is built on."""
    if (major, minor) < OLDEST_SERVER:
        raise InvalidInputError(
            f"AppShield needs NATS {OLDEST_SERVER[0]}.{OLDEST_SERVER[1]} or later, "
            f"{access.url} runs {major}.{minor}.{patch}",
            next_step="Upgrade the server",
        )


def unknown_key(access: BusAccess) -> DeniedError:
    """Say that the server does not know who asks."""
    return DeniedError(
        f"the message bus at {access.url} does not know the key of user {access.user}",
        next_step=f"Check the key file {access.seed_file or '(none is set)'}",
    )


def denied(access: BusAccess, act: str, subject: str) -> DeniedError:
    """Say that this user may not do this."""
    return DeniedError(
        f"the bus user {access.user} may not {act} on {subject}",
        next_step="Use the access of a user who may, or correct the permissions of this one",
    )


def too_large(subject: str, size_bytes: int, largest_bytes: int) -> InvalidInputError:
    """Say that a message is larger than the server takes."""
    return InvalidInputError(
        f"a message for {subject} is too large",
        why=f"{size_bytes} bytes, the server takes {largest_bytes}",
    )


def translated(access: BusAccess, subject: str, error: BaseException) -> Exception:
    """Say what an error of nats-py means for what was sent to `subject`."""
    if isinstance(error, nats.errors.NoRespondersError):
        return NobodyAnswersError(
            f"nothing serves {subject} on the message bus",
            next_step="Check that JetStream is enabled and that the streams exist",
        )
    if isinstance(error, nats.errors.BadSubjectError | nats.errors.BadHeaderError):
        return InvalidInputError(f"{subject!r} is no subject", why=reason_of(error))
    kind = SilentError if isinstance(error, TimeoutError) else UnavailableError
    return kind(
        f"the message bus at {access.url} did not answer on {subject}", why=reason_of(error)
    )


def reason_of(error: BaseException) -> str:
    """Return a reason for people: nats-py says it in `str`, some errors say nothing at all."""
    text = str(error).removeprefix("nats: ").strip("' \r\n")
    return text or type(error).__name__
