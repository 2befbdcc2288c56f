"""Keys of an issuer: kept, renewed when they rotate, and never asked for by a flood."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import jwt
import pytest

from api.oidc.provider import AGAIN, KEPT, Provider, safe
from api.oidc.verify import LEEWAY, Untrusted, Verifier
from delivery.model.ids import SECOND, Micros
from delivery.ports.errors import Unavailable
from tests.api.world import NOW
from tests.oidc import new_key

API = "delivery-api"
LIMIT = 10.0


class Watch:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def verifier(idp, watch):
    with httpx.Client(timeout=5) as http:
        yield Verifier(Provider(idp.issuer, http, watch), API, ("ES256", "RS256"))


def valid(verifier, token):
    return verifier.claims(token, NOW)["sub"]


def test_keys_are_asked_for_once(verifier, idp):
    for _ in range(3):
        assert valid(verifier, idp.token(API)) == "s-1"
    assert idp.asked == ["/.well-known/openid-configuration", "/keys"]


def test_a_key_that_rotates_is_found_and_the_old_one_forgotten(verifier, idp, watch):
    old = idp.token(API)
    valid(verifier, old)
    idp.rotate("k2")
    watch.time += AGAIN
    assert valid(verifier, idp.token(API)) == "s-1"
    with pytest.raises(Untrusted, match="no such key"):
        valid(verifier, old)


def test_an_issuer_that_hangs_keeps_one_waiting_for_what_is_old_and_nobody_else(verifier, idp, watch):
    token = idp.token(API)
    valid(verifier, token)
    watch.time += KEPT
    asking, go_on = threading.Event(), threading.Event()

    def hang(_: httpx.Request) -> None:
        asking.set()
        assert go_on.wait(LIMIT)

    verifier.provider.http.event_hooks = {"request": [hang]}
    with ThreadPoolExecutor(2) as threads:
        try:
            renewing = threads.submit(valid, verifier, token)
            assert asking.wait(LIMIT)
            assert threads.submit(valid, verifier, token).result(LIMIT) == "s-1"
            assert not renewing.done()
        finally:
            go_on.set()
        assert renewing.result(LIMIT) == "s-1"


def test_keys_that_are_both_shown_for_a_while_both_count(verifier, idp, watch):
    """As providers change them: nobody's token is refused meanwhile, and the old key's are once it is taken away."""
    old = idp.token(API)
    valid(verifier, old)
    idp.keys["k2"] = new_key()
    watch.time += AGAIN
    assert valid(verifier, idp.token(API, kid="k2")) == valid(verifier, old) == "s-1"
    del idp.keys["k1"]
    watch.time += KEPT
    assert valid(verifier, idp.token(API, kid="k2")) == "s-1"
    with pytest.raises(Untrusted, match="no such key"):
        valid(verifier, old)


def test_a_key_that_was_taken_away_counts_no_longer_than_keys_are_kept(verifier, idp, watch):
    old = idp.token(API)
    valid(verifier, old)
    idp.rotate("k2")
    watch.time += KEPT
    with pytest.raises(Untrusted, match="no such key"):
        valid(verifier, old)


def test_a_flood_of_unknown_keys_asks_the_provider_nothing(verifier, idp, watch):
    valid(verifier, idp.token(API))
    asked_before = len(idp.asked)
    key, token = new_key(), ""
    for number in range(50):
        token = jwt.encode({"iss": idp.issuer}, key, "ES256", headers={"kid": f"guess-{number}"})
        with pytest.raises(Untrusted, match="no such key"):
            valid(verifier, token)
    assert len(idp.asked) == asked_before
    watch.time += AGAIN
    with pytest.raises(Untrusted, match="no such key"):
        valid(verifier, token)
    assert len(idp.asked) == asked_before + 2


def test_a_provider_that_is_down_is_asked_again_later_and_its_keys_stay(verifier, idp, watch):
    token = idp.token(API)
    idp.down = True
    for _ in range(3):
        with pytest.raises(Unavailable, match="cannot be read"):
            valid(verifier, token)
    assert len(idp.asked) == 1
    idp.down = False
    watch.time += AGAIN
    valid(verifier, token)
    idp.down = True
    watch.time += KEPT
    assert valid(verifier, token) == "s-1"


def test_a_token_without_a_key_id_where_there_is_one_key(verifier, idp):
    token = jwt.encode({"iss": idp.issuer, "aud": API, "sub": "s-1", "iat": 1, "exp": 2**40}, idp.keys["k1"], "ES256")
    assert valid(verifier, token) == "s-1"
    idp.keys["k0"] = new_key()
    again = Verifier(Provider(idp.issuer, verifier.provider.http), API, ("ES256",))
    with pytest.raises(Untrusted, match="no such key"):
        valid(again, token)


def test_rsa_too_and_an_algorithm_that_a_key_is_not_for(verifier, idp):
    idp.keys = {"r1": new_key("RS256")}
    assert valid(verifier, idp.token(API, alg="RS256")) == "s-1"
    with pytest.raises(Untrusted, match="another algorithm"):
        valid(verifier, idp.token(API, alg="PS256"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://another.example"},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
    ],
)
def test_a_provider_that_says_nonsense(verifier, idp, wrong):
    idp.wrong = wrong
    with pytest.raises(Unavailable):
        valid(verifier, idp.token(API))


def test_nothing_is_read_over_a_way_that_others_can_change():
    assert [safe(url) for url in ("https://a.example", "http://127.0.0.1:1", "http://a.example", "ftp://a", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_clocks_may_differ_a_little(verifier, idp):
    late = idp.token(API, exp=int(idp.now) - LEEWAY + 1)
    early = idp.token(API, iat=int(idp.now) + LEEWAY, nbf=int(idp.now) + LEEWAY)
    assert valid(verifier, late) == valid(verifier, early) == "s-1"
    with pytest.raises(Untrusted, match="expired"):
        verifier.claims(late, Micros(NOW + SECOND))
