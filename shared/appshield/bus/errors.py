"""What can go wrong on the bus, and the two words in which a handler refuses a message."""

from appshield.errors import RefusedError, UnavailableError


class BusFullError(UnavailableError):
    """A stream has reached a limit and takes nothing more: back-pressure, never a loss."""

    def __init__(self, stream: str, limit: str) -> None:
        super().__init__(
            f"the stream {stream} of the message bus is full",
            why=limit,
            next_step="Nothing was lost; try again when its reader has caught up",
        )
        self.stream = stream
        self.limit = limit


class SilentError(UnavailableError):
    """The server is there and took what was sent, but said nothing in the time given."""


class NotStoredError(UnavailableError):
    """The server is there, but does not confirm what it is sent, however often."""

    def __init__(self, url: str, subject: str, within_s: float) -> None:
        super().__init__(
            f"the message bus at {url} did not store a message on {subject}",
            why=f"it answers, but confirmed nothing within {within_s:g} s: its disk may be full",
            next_step="Look at its log, make room on its disk and start it again; "
            "what it confirmed is not lost",
        )


class NobodyAnswersError(UnavailableError):
    """The server is there, but nothing in it serves this subject (now)."""


class KeyExistsError(RefusedError):
    """A key that was to be created is there already."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"the key {key} exists already in {bucket}")


class StaleRevisionError(RefusedError):
    """A key was written by somebody else since it was read."""

    def __init__(self, bucket: str, key: str, revision: int) -> None:
        super().__init__(
            f"the key {key} in {bucket} has changed since revision {revision}",
            next_step="Read it again and decide again",
        )


class Retry(Exception):  # noqa: N818 - an outcome of a handler, not an error
    """The message cannot be handled yet: deliver it again after `after_s` seconds."""

    def __init__(self, why: str, *, after_s: float) -> None:
        super().__init__(why)
        self.why = why
        self.after_s = after_s


class Reject(Exception):  # noqa: N818 - an outcome of a handler, not an error
    """The message can never be handled: park it among the dead letters."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
