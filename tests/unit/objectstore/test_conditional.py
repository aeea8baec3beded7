"""What a store does for `only_if_absent` where the service has no conditional writes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from appshield.objectstore import ObjectExistsError, S3Credentials, S3Location, S3ObjectStore
from appshield.objectstore.conditional import DEAD_AFTER_S
from s3_impostor import Asked, Impostor, Reply, error_body, s3_impostor


class OldService:
    """Objects as a service keeps them that refuses conditions, or ignores them."""

    def __init__(self, *, refuses: bool) -> None:
        self.refuses = refuses
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self._guard = threading.Lock()

    def answer(self, asked: Asked) -> Reply:
        url = urlsplit(asked.target)
        key = url.path.removeprefix("/a-bucket/")
        with self._guard:
            if asked.method == "PUT":
                if self.refuses and "if-none-match" in asked.headers:
                    return Reply(501, error_body("NotImplemented"))
                self.objects[key] = (asked.body, datetime.now(UTC))
                return Reply()
            if asked.method == "DELETE":
                self.objects.pop(key, None)
                return Reply(204)
            if url.query:
                return self._listing(parse_qs(url.query).get("prefix", [""])[0])
            found = self.objects.get(key)
        return Reply(404, error_body("NoSuchKey")) if found is None else Reply(200, found[0])

    def _listing(self, prefix: str) -> Reply:
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(body)}</Size>"
            f"<LastModified>{at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
            for key, (body, at) in self.objects.items()
            if key.startswith(prefix)
        )
        return Reply(200, f"<ListBucketResult>{entries}</ListBucketResult>".encode())


@pytest.fixture(params=[True, False], ids=["refuses", "ignores"])
def service(request: pytest.FixtureRequest) -> OldService:
    return OldService(refuses=request.param)


@pytest.fixture
def impostor(service: OldService) -> Iterator[Impostor]:
    with s3_impostor(answer=service.answer) as running:
        yield running


def store_at(impostor: Impostor) -> S3ObjectStore:
    return S3ObjectStore(S3Location(impostor.endpoint, "a-bucket"), S3Credentials("a", "b"))


def test_what_the_service_cannot_do_is_found_once_and_done_in_turns(
    impostor: Impostor, service: OldService
) -> None:
    """The first put is there, the second is refused, and no claim stays."""
    store = store_at(impostor)
    store.put("marker", b"first", only_if_absent=True)
    with pytest.raises(ObjectExistsError, match="marker"):
        store.put("marker", b"second", only_if_absent=True)
    assert not store.conditional_writes()
    assert service.objects["marker"][0] == b"first"
    assert service.objects.keys() <= {"marker", ".conditional"}
    probes = [asked for asked in impostor.asked if asked.target.endswith("/.conditional")]
    assert len(probes) <= 2
    assert list(store.list("")) == [found for found in store.list("") if found.name == "marker"]


def test_of_many_who_take_turns_exactly_one_writes(impostor: Impostor, service: OldService) -> None:
    """Each with a store of its own, as in processes of their own."""

    def attempt(number: int) -> int | None:
        try:
            store_at(impostor).put("marker", b"%d" % number, only_if_absent=True)
        except ObjectExistsError:
            return None
        return number

    with ThreadPoolExecutor(5) as writers:
        winners = [number for number in writers.map(attempt, range(5)) if number is not None]
    assert len(winners) == 1
    assert service.objects["marker"][0] == b"%d" % winners[0]
    assert service.objects.keys() <= {"marker", ".conditional"}


def test_the_claim_of_a_dead_writer_keeps_nobody_waiting(
    impostor: Impostor, service: OldService
) -> None:
    """It is removed once it is old enough."""
    store = store_at(impostor)
    store.put("first", b"", only_if_absent=True)
    claims = [asked.target for asked in impostor.asked if "/.claims/" in asked.target]
    assert claims
    folder = next(target for target in claims if "?" not in target).rpartition("/")[0]
    dead = folder.removeprefix("/a-bucket/") + "/dead"
    del service.objects["first"]
    service.objects[dead] = (b"", datetime.now(UTC) - timedelta(seconds=DEAD_AFTER_S + 60))
    store.put("first", b"again", only_if_absent=True)
    assert service.objects["first"][0] == b"again"
    assert dead not in service.objects
