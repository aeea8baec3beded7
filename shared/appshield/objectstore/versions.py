"""Deleting in a bucket that keeps versions: every version of the object, so that space is freed.

The oldest goes first and the current one last: when the service refuses one of them, the object is
still there to be read.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from appshield.objectstore.answers import MISSING, Answer
from appshield.objectstore.listings import ListedVersion, VersionsPage, text_in, versions_page
from appshield.objectstore.port import ObjectRetainedError
from appshield.objectstore.requests import S3Requests
from appshield.objectstore.retention import kept_until

FORBIDDEN = frozenset({400, 403, 405, 409})
"""How services answer when an object lock keeps a version; wrong rights look alike."""


UNTOLD = frozenset({400, 403, 404, 405, 501})
"""How services answer that have no versions, or do not tell this key about them."""

CLOCK_STEP = timedelta(seconds=2)
"""Services tell their time in whole seconds, and it went on since."""


class Versions:
    """The versions of the objects of one bucket."""

    def __init__(self, requests: S3Requests, require: Callable[[Answer], None]) -> None:
        self._requests = requests
        self._require = require
        self._known: bool | None = None

    def are_kept(self) -> bool:
        """Tell whether the bucket keeps versions; asked once, False where it does not tell."""
        if self._known is None:
            answer = self._requests.ask("GET", "", query={"versioning": ""})
            if answer.status not in UNTOLD:
                self._require(answer)
            self._known = answer.ok and text_in(answer.body, "Status") in {"Enabled", "Suspended"}
        return self._known

    def delete_all(self, key: str, name: str) -> bool:
        """Delete every version and marker of an object; False when there is no right to list them.

        Raises:
            ObjectRetainedError: the service keeps one of them.
        """
        found: list[ListedVersion] = []
        for page in self._pages(key):
            if page is None:
                return False
            found += [one for one in page.versions if one.key == key]
        found.reverse()
        for version in sorted(found, key=lambda one: one.is_current):
            self._delete_one(version, name)
        return True

    def _pages(self, key: str) -> Iterator[VersionsPage | None]:
        query = {"versions": "", "encoding-type": "url", "prefix": key}
        while True:
            answer = self._requests.ask("GET", "", query=query)
            if answer.status in {403, 501} and answer.code != "RequestTimeTooSkewed":
                yield None
                return
            self._require(answer)
            page = versions_page(answer.body)
            yield page
            if page.next_key is None:
                return
            query["key-marker"] = page.next_key
            query["version-id-marker"] = page.next_version

    def _delete_one(self, version: ListedVersion, name: str) -> None:
        answer = self._requests.ask("DELETE", version.key, query={"versionId": version.version_id})
        if answer.status in FORBIDDEN:
            self._raise_if_kept(version, name)
        if answer.status != MISSING or answer.code == "NoSuchBucket":
            self._require(answer)

    def _raise_if_kept(self, version: ListedVersion, name: str) -> None:
        look = self._requests.ask("HEAD", version.key, query={"versionId": version.version_id})
        until = kept_until(look.headers.get("x-amz-object-lock-retain-until-date", ""))
        held = look.headers.get("x-amz-object-lock-legal-hold", "").upper() == "ON"
        now = look.server_time or datetime.now(UTC)
        if held or (until is not None and until > now - CLOCK_STEP):
            raise ObjectRetainedError(name, None if held else until)
