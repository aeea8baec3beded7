"""A range that breaks off on its way is asked for again from there, with all patience."""

import pytest

from appshield.errors import DeniedError
from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore, S3Patience
from s3_impostor import Asked, Impostor, Reply, error_body, s3_impostor

CONTENT = bytes(range(256)) * 40
IMPATIENT = S3Patience(
    connect_timeout_s=2, answer_timeout_s=0.3, attempts=3, pause_min_s=0.001, pause_max_s=0.01
)


def read_all(impostor: Impostor) -> bytes:
    location = S3Location(impostor.endpoint, "a-bucket")
    store = S3ObjectStore(location, S3Credentials("AKIA", "secret"), patience=IMPATIENT)
    reader = store.open_range("x", offset=100, length=len(CONTENT) - 100)
    room = memoryview(bytearray(len(CONTENT)))
    return bytes(room[: reader.readinto(room)])


def part_of(asked: Asked) -> Reply:
    """The answer of a service that knows ranges."""
    first, last = asked.headers["range"].removeprefix("bytes=").split("-")
    return Reply(206, CONTENT[int(first) : int(last) + 1])


def ranges_asked(impostor: Impostor) -> list[str]:
    return [asked.headers["range"] for asked in impostor.asked]


WHOLE = f"bytes=100-{len(CONTENT) - 1}"


def test_a_range_that_arrives_is_asked_for_once() -> None:
    with s3_impostor(answer=part_of) as impostor:
        assert read_all(impostor) == CONTENT[100:]
        assert ranges_asked(impostor) == [WHOLE]


def test_a_body_that_is_cut_off_is_continued_where_it_ended() -> None:
    """What has arrived is not asked for again."""
    cut = Reply(206, CONTENT[100:1000], promised_bytes=len(CONTENT) - 100)
    with s3_impostor(cut, answer=part_of) as impostor:
        assert read_all(impostor) == CONTENT[100:]
        assert ranges_asked(impostor) == [WHOLE, f"bytes=1000-{len(CONTENT) - 1}"]


@pytest.mark.parametrize(
    "first", [Reply(503, error_body("SlowDown")), Reply(None), Reply(200, CONTENT)]
)
def test_any_other_answer_is_none(first: Reply) -> None:
    """Asked to wait, kept waiting, or given the whole object: the range is asked for again."""
    with s3_impostor(first, answer=part_of) as impostor:
        assert read_all(impostor) == CONTENT[100:]
        assert set(ranges_asked(impostor)) == {WHOLE}


def test_a_refusal_is_told_as_ever() -> None:
    denied = Reply(403, error_body("AccessDenied"))
    with (
        s3_impostor(denied, denied, denied, denied) as impostor,
        pytest.raises(DeniedError, match="to read"),
    ):
        read_all(impostor)
