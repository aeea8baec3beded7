"""Asking an S3 service again, and what it means when that does not help."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from appshield.errors import AppShieldError, DeniedError, InvalidInputError, UnavailableError
from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore, S3Patience
from appshield.objectstore.answers import Answer, error_for
from appshield.objectstore.requests import RETRY_AFTER_MAX_S
from s3_impostor import Impostor, Reply, error_body, s3_impostor

SECRET = "a-secret-that-no-error-may-show"
IMPATIENT = S3Patience(
    connect_timeout_s=2, answer_timeout_s=0.3, attempts=3, pause_min_s=0.001, pause_max_s=0.01
)


def store_at(impostor: Impostor) -> S3ObjectStore:
    location = S3Location(impostor.endpoint, "a-bucket")
    return S3ObjectStore(location, S3Credentials("AKIA", SECRET), patience=IMPATIENT)


def test_a_pause_that_the_service_asks_for_is_kept() -> None:
    """`Retry-After: 1` makes the second attempt wait that long."""
    with s3_impostor(Reply(503, error_body("SlowDown"), {"retry-after": "1"})) as impostor:
        begun = time.monotonic()
        store_at(impostor).put("x", b"")
        assert time.monotonic() - begun >= 1.0
        assert len(impostor.asked) == 2


def test_a_pause_may_be_asked_for_as_a_date_and_has_a_limit() -> None:
    """Nonsense is no wish; a very long one is shortened."""
    now = datetime.now(UTC).replace(microsecond=0)
    date = format_datetime(now, usegmt=True)
    later = format_datetime(now + timedelta(seconds=7), usegmt=True)
    assert Answer(503, {"retry-after": later, "date": date}, b"").retry_after_s == 7
    assert Answer(503, {"retry-after": "soon"}, b"").retry_after_s == 0
    assert Answer(503, {}, b"").retry_after_s == 0
    assert S3Patience().pause_s(0, asked_s=1e6) == RETRY_AFTER_MAX_S


def test_a_new_region_is_named_when_the_service_tells_it() -> None:
    """Also for questions whose answer has no body."""
    moved = Reply(301, b"", {"x-amz-bucket-region": "eu-west-3"})
    with (
        s3_impostor(moved) as impostor,
        pytest.raises(InvalidInputError, match=r"not in region us-east-1.*Set the region to eu-w"),
    ):
        store_at(impostor).size("x")


def test_a_question_is_asked_again_where_the_answer_has_no_room_for_the_reason() -> None:
    """A slow or altered request is a bad one, too, and only a body would say so."""
    with s3_impostor(Reply(400), Reply()) as impostor:
        assert store_at(impostor).size("x") == 0
        assert [asked.method for asked in impostor.asked] == ["HEAD", "HEAD"]


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"])
def test_bytes_that_arrive_altered_are_sent_again_and_then_told(code: str) -> None:
    """Once may be chance; each time is a broken proxy or memory."""
    altered = Reply(400, error_body(code))
    with s3_impostor(altered) as impostor:
        store_at(impostor).put("x", b"content")
        assert len(impostor.asked) == 2
    with (
        s3_impostor(altered, altered, altered) as impostor,
        pytest.raises(UnavailableError, match=r"arrived altered.*memory"),
    ):
        store_at(impostor).put("x", b"content")


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda store: store.get("x"), r"AKIA to read.*s3:GetObject"),
        (lambda store: list(store.list("")), r"AKIA to list.*s3:ListBucket"),
        (lambda store: store.put("x", b""), r"AKIA to write.*s3:PutObject"),
        (lambda store: store.delete("x"), r"AKIA to delete.*s3:DeleteObject"),
    ],
)
def test_a_missing_right_is_named(ask: Callable[[S3ObjectStore], object], says: str) -> None:
    """What was tried, and which right it needs."""
    denied = Reply(403, error_body("AccessDenied"))
    with s3_impostor(denied, denied) as impostor, pytest.raises(DeniedError, match=says) as raised:
        ask(store_at(impostor))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken"])
def test_a_session_that_has_ended_is_told_apart_from_a_wrong_key(code: str) -> None:
    """The next step is a new token."""
    with (
        s3_impostor(Reply(400, error_body(code))) as impostor,
        pytest.raises(DeniedError, match=r"session .* ended.*new session token"),
    ):
        store_at(impostor).get("x")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"0123456789", promised_bytes=20),
        Reply(206, b"0123", promised_bytes=10),
    ],
)
def test_a_body_that_is_cut_off_is_never_taken_for_the_whole(reply: Reply) -> None:
    """It is asked for again, and an error in the end."""
    with s3_impostor(reply, Reply(200, b"0123456789")) as impostor:
        assert store_at(impostor).get("x", offset=0, length=10) == b"0123456789"
    with s3_impostor(*[reply] * 3) as impostor, pytest.raises(AppShieldError, match="reached"):
        store_at(impostor).get("x", offset=0, length=10)


@pytest.mark.parametrize(
    ("code", "said"),
    [("403", "says HTTP 403 Forbidden"), ("AccessDenied", "says HTTP 403 AccessDenied Forbidden")],
)
def test_a_denial_says_its_status_once(code: str, said: str) -> None:
    """An answer without a body has no name for what it denies: the SDK gives its status again."""
    location = S3Location(endpoint="http://127.0.0.1:1", bucket="bucket")
    told = error_for(403, code, "Forbidden", location, S3Credentials("ann", "secret"))
    assert isinstance(told, DeniedError)
    assert told.why.endswith(said)
