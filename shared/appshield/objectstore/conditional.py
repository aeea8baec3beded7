"""Writing an object only if there is none, on every S3 service.

Most services know `If-None-Match: *`. Some refuse it (501) and some, worse, ignore it; which is the
case is tried once for a store, on an object that stays (`.conditional`, empty). Where it is missing
writers take turns, relying on nothing but listings that show every finished write:

    put a claim of my own          `.claims/<hash of the name>/<random>`
    list the claims                another one? remove mine, wait a moment, begin again
    is the object there?           then remove mine and say so
    put the object, remove mine

Of two who claim at once the later one sees the earlier one's claim, or the object. The claim of a
writer that died counts as given up after `DEAD_AFTER_S`, long after any living one is done.
"""

import hashlib
import random
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from appshield.errors import UnavailableError
from appshield.objectstore.answers import PRECONDITION_FAILED, Answer
from appshield.objectstore.listings import listed_times
from appshield.objectstore.requests import S3Requests

IF_ABSENT = {"if-none-match": "*"}

PROBE, CLAIMS = ".conditional", ".claims"
"""No object that the port knows can be called so."""

NOT_IMPLEMENTED = 501
DEAD_AFTER_S = 1800.0
PUT_WITHIN_S = 60.0
"""Whoever has waited longer since it claimed, claims again before it writes."""
TURNS_MAX = 40
PAUSE_MAX_S = 2.0


class ConditionalWrites:
    """What a store does for `only_if_absent`; thread-safe."""

    def __init__(
        self, requests: S3Requests, folder: str, require: Callable[[Answer], None]
    ) -> None:
        self._requests = requests
        self._folder = folder
        self._require = require
        self._trying = threading.Lock()
        self._known: bool | None = None

    def supported(self) -> bool:
        """Tell whether the service keeps the condition; asked once."""
        with self._trying:
            if self._known is None:
                self._known = self._try_out()
            return self._known

    def _try_out(self) -> bool:
        for _ in range(2):  # the first may be the one that makes it
            answer = self._requests.ask("PUT", self._folder + PROBE, headers=IF_ABSENT)
            if answer.status == PRECONDITION_FAILED:
                return True
            if answer.status == NOT_IMPLEMENTED or answer.code == "NotImplemented":
                return False
            self._require(answer)
        return False

    def in_turn(self, key: str, exists: Callable[[], bool], put: Callable[[], None]) -> bool:
        """Call `put` unless the object `key` exists; tell whether it was called."""
        folder = f"{self._folder}{CLAIMS}/{hashlib.sha256(key.encode()).hexdigest()}/"
        for turn in range(TURNS_MAX):
            claim = folder + secrets.token_hex(16)
            claimed = time.monotonic()
            self._require(self._requests.ask("PUT", claim))
            try:
                if not self._others(folder, claim):
                    if exists():
                        return False
                    if time.monotonic() - claimed < PUT_WITHIN_S:
                        put()
                        return True
            finally:
                self._require(self._requests.ask("DELETE", claim))
            time.sleep(_pause_s(turn))  # the port blocks; by chance, so that one gets ahead
        raise UnavailableError(
            f"object {key} cannot be written now",
            why="other writers want to write it, too, and the store has no conditional writes",
            next_step="Try again",
        )

    def _others(self, folder: str, own: str) -> bool:
        """Tell whether somebody else has a claim, and remove those of the dead."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": folder}
        answer = self._requests.ask("GET", "", query=query)
        self._require(answer)
        now = answer.server_time or datetime.now(UTC)
        others = False
        for claim, written in listed_times(answer.body).items():
            if claim == own:
                continue
            if (now - written).total_seconds() > DEAD_AFTER_S:
                self._require(self._requests.ask("DELETE", claim))
            else:
                others = True
        return others


def _pause_s(turn: int) -> float:
    return random.uniform(0.01, min(PAUSE_MAX_S, 0.05 * 2**turn))  # noqa: S311 - no secret
