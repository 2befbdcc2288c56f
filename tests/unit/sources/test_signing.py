"""Standard Webhooks: what is signed, and that nothing else passes."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from delivery.model.ids import SECOND, Micros
from delivery.sources.errors import Stale, Unsigned
from delivery.sources.signing import TOLERANCE, key, sign, verify

# As published in the test suites of the reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

OTHER = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
HEADERS = {"webhook-id": ID, "webhook-timestamp": str(TIMESTAMP), "webhook-signature": SIGNATURE}
NOW = Micros(TIMESTAMP * SECOND)


def test_the_published_vector() -> None:
    assert sign(SECRET, ID, TIMESTAMP, BODY) == HEADERS
    assert verify(HEADERS, BODY, [SECRET], NOW) == ID


def test_names_of_headers_have_no_case() -> None:
    assert verify({name.title(): value for name, value in HEADERS.items()}, BODY, [SECRET], NOW) == ID


def test_any_of_several_signatures_and_any_of_several_secrets() -> None:
    wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
    many = HEADERS | {"webhook-signature": f"v1a,abc {wrong} {SIGNATURE} v2,xyz"}
    assert verify(many, BODY, [OTHER, SECRET], NOW) == ID
    assert verify(sign(OTHER, ID, TIMESTAMP, BODY), BODY, [OTHER, SECRET], NOW) == ID
    with pytest.raises(Unsigned, match="the signature does not fit"):
        verify(many, BODY, [OTHER], NOW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"webhook-id": None}, "the header webhook-id is missing"),
        ({"webhook-timestamp": None}, "the header webhook-timestamp is missing"),
        ({"webhook-signature": None}, "the header webhook-signature is missing"),
        ({"webhook-signature": ""}, "no signature of version v1"),
        ({"webhook-signature": SIGNATURE.removeprefix("v1,")}, "no signature of version v1"),
        ({"webhook-signature": SIGNATURE.replace("v1,", "v2,")}, "no signature of version v1"),
        ({"webhook-signature": "v1,"}, "does not fit"),
        ({"webhook-signature": "v1,é"}, "does not fit"),
        ({"webhook-signature": SIGNATURE[:-2] + "A="}, "does not fit"),
        ({"webhook-signature": " ".join(["v1,x"] * 16 + [SIGNATURE])}, "does not fit"),
        ({"webhook-id": "msg_other"}, "does not fit"),
        ({"webhook-id": f"{ID}.{TIMESTAMP}"}, "without a full stop"),
        ({"webhook-id": ""}, "without a full stop"),
        ({"webhook-id": "a b"}, "without a full stop"),
        ({"webhook-timestamp": str(TIMESTAMP + 1)}, "does not fit"),
        ({"webhook-timestamp": f"{TIMESTAMP}.5"}, "a number of seconds"),
        ({"webhook-timestamp": "hello"}, "a number of seconds"),
        ({"webhook-timestamp": "-1"}, "a number of seconds"),
        ({"webhook-timestamp": "٣"}, "a number of seconds"),
    ],
    ids=repr,
)
def test_what_is_not_signed(change: dict[str, str | None], said: str) -> None:
    headers = {name: value for name, value in (HEADERS | change).items() if value is not None}
    with pytest.raises(Unsigned, match=said) as caught:
        verify(headers, BODY, [SECRET], NOW)
    assert caught.value.kind == "unsigned"


def test_what_is_signed_cannot_change_sides() -> None:
    """`ID.TIMESTAMP.BODY` reads in several ways once an id may have a full stop in it."""
    body = b"1614265330.{}"
    signature = base64.b64encode(hmac.digest(key(SECRET), b"a.1." + body, hashlib.sha256)).decode()
    shifted = {"webhook-id": "a.1", "webhook-timestamp": "1614265330", "webhook-signature": f"v1,{signature}"}
    with pytest.raises(Unsigned, match="without a full stop"):
        verify(shifted, b"{}", [SECRET], NOW)


def test_without_a_secret_nothing_passes() -> None:
    with pytest.raises(Unsigned, match="no secret is configured"):
        verify(HEADERS, BODY, [], NOW)


@pytest.mark.parametrize(("off", "passes"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_five_minutes_in_both_directions(off: int, *, passes: bool) -> None:
    now = Micros(NOW + off * SECOND)
    assert abs(off) <= TOLERANCE // SECOND if passes else True
    if passes:
        assert verify(HEADERS, BODY, [SECRET], now) == ID
        return
    with pytest.raises(Stale, match="301 seconds ago" if off > 0 else "301 seconds in the future") as caught:
        verify(HEADERS, BODY, [SECRET], now)
    assert caught.value.kind == "stale"


def test_a_wrong_signature_is_told_before_an_old_time() -> None:
    with pytest.raises(Unsigned) as caught:
        verify(HEADERS, BODY + b" ", [SECRET], Micros(0))
    assert not isinstance(caught.value, Stale)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_not base64!",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
    ],
    ids=repr,
)
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="a webhook secret is whsec_ and"):
        key(secret)
    with pytest.raises(ValueError, match="a webhook secret is whsec_ and"):
        verify(HEADERS, BODY, [SECRET, secret], NOW)


def test_an_id_that_no_receiver_takes_is_not_signed() -> None:
    with pytest.raises(ValueError, match="is no webhook id"):
        sign(SECRET, "a.b", TIMESTAMP, BODY)


@given(st.binary(max_size=200), st.text("abc_-019", min_size=1, max_size=20), st.integers(0, 10**11))
def test_what_is_signed_here_passes_here_and_nowhere_else(body: bytes, webhook_id: str, timestamp: int) -> None:
    headers = sign(SECRET, webhook_id, timestamp, body)
    now = Micros(timestamp * SECOND)
    assert verify(headers, body, [SECRET], now) == webhook_id
    with pytest.raises(Unsigned, match="does not fit"):
        verify(headers, body, [OTHER], now)


@given(st.binary(min_size=1, max_size=60), st.binary(max_size=60))
def test_another_body_does_not_pass(body: bytes, other: bytes) -> None:
    assume(body != other)
    with pytest.raises(Unsigned, match="does not fit"):
        verify(sign(SECRET, ID, TIMESTAMP, body), other, [SECRET], NOW)
