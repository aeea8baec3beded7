"""What S3 services list, read from their XML."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import msgspec

from appshield.errors import UnavailableError
from appshield.objectstore.port import ObjectFacts


class ListingPage(msgspec.Struct, frozen=True):
    """A part of a listing and where the next part begins; names are whole keys."""

    objects: tuple[ObjectFacts, ...]
    folders: tuple[str, ...]
    """Filled where the listing was asked to stop at each `/`; each ends in one."""
    next_token: str | None


class ListedVersion(msgspec.Struct, frozen=True):
    """One version of an object, or a marker that says that it was deleted."""

    key: str
    version_id: str
    is_current: bool


class VersionsPage(msgspec.Struct, frozen=True):
    """A part of a listing of versions, of each key the newest first, and where the next begins."""

    versions: tuple[ListedVersion, ...]
    next_key: str | None
    next_version: str


def listing_page(body: bytes) -> ListingPage:
    """Read one answer to ListObjectsV2 with `encoding-type=url`."""
    root = _listing(body, "ListBucketResult")
    objects: list[ObjectFacts] = []
    folders: list[str] = []
    for element, name in _named(root, {"Contents": "Key", "CommonPrefixes": "Prefix"}):
        if _local(element) == "Contents":
            objects.append(ObjectFacts(name, int(_child(element, "Size"))))
        else:
            folders.append(name)
    more = _child(root, "IsTruncated") == "true"
    next_token = _child(root, "NextContinuationToken") if more else None
    return ListingPage(tuple(objects), tuple(folders), next_token)


def listed_times(body: bytes) -> dict[str, datetime]:
    """Return when each object in an answer to ListObjectsV2 was written."""
    root = _listing(body, "ListBucketResult")
    return {
        name: datetime.fromisoformat(_child(element, "LastModified"))
        for element, name in _named(root, {"Contents": "Key"})
    }


def versions_page(body: bytes) -> VersionsPage:
    """Read one answer to ListObjectVersions with `encoding-type=url`."""
    root = _listing(body, "ListVersionsResult")
    versions = tuple(
        ListedVersion(name, _child(element, "VersionId"), _child(element, "IsLatest") == "true")
        for element, name in _named(root, {"Version": "Key", "DeleteMarker": "Key"})
    )
    if _child(root, "IsTruncated") != "true":
        return VersionsPage(versions, None, "")
    next_key = _unescaped(root, _child(root, "NextKeyMarker"))
    return VersionsPage(versions, next_key, _child(root, "NextVersionIdMarker"))


def text_in(body: bytes, name: str) -> str:
    """Return the text of an element of a document, empty where there is none."""
    root = _parsed(body) if body.lstrip().startswith(b"<") else None
    return "" if root is None else _child(root, name)


def _listing(body: bytes, kind: str) -> ET.Element:
    root = _parsed(body)
    if root is None or _local(root) != kind:
        raise UnavailableError("the object store answered with something that is no listing")
    return root


def _named(root: ET.Element, kinds: dict[str, str]) -> Iterator[tuple[ET.Element, str]]:
    """Yield the elements of these kinds, each with the name that a child of it holds."""
    escaped = _child(root, "EncodingType") == "url"
    for element in root:
        holder = kinds.get(_local(element))
        if holder is not None:
            key = _child(element, holder)
            yield element, unquote_plus(key) if escaped else key


def _unescaped(root: ET.Element, key: str) -> str:
    return unquote_plus(key) if _child(root, "EncodingType") == "url" else key


def _parsed(body: bytes) -> ET.Element | None:
    try:
        return ET.fromstring(body)  # noqa: S314 - expat resolves no external entity and limits expansion
    except ET.ParseError:
        return None


def _child(parent: ET.Element, name: str) -> str:
    """Return the text of a direct child, whatever its XML namespace, or an empty one."""
    return next((element.text or "" for element in parent if _local(element) == name), "")


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
