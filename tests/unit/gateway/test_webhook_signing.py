"""Signatures as Standard Webhooks describe them."""

import base64
from datetime import UTC, datetime

import pytest

from appshield.errors import InvalidInputError
from appshield.gateway.webhook_signing import headers_of, signing_key

# the example of the Standard Webhooks specification
SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOTICE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_specification_is_signed_the_same() -> None:
    headers = headers_of(NOTICE, BODY, signing_key(SECRET), SENT)
    assert headers == {
        "webhook-id": NOTICE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_without_a_secret_nothing_claims_to_be_signed() -> None:
    assert "webhook-signature" not in headers_of(NOTICE, BODY, None, SENT)


def test_a_secret_that_is_no_text_of_that_kind_is_the_key_itself() -> None:
    key = b"sixteen bytes and more"
    assert signing_key(key + b"\n") == key
    assert signing_key(b"whsec_" + base64.b64encode(key)) == key


@pytest.mark.parametrize("secret", [b"", b"short", b"whsec_no base64 at all"])
def test_what_is_no_key_is_refused_without_being_repeated(secret: bytes) -> None:
    with pytest.raises(InvalidInputError) as caught:
        signing_key(secret)
    assert not secret or secret.decode() not in str(caught.value)
