"""Signing in at an OpenID Connect provider in a real Chromium, over https, by keys alone: there, back, and out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from fastapi.testclient import TestClient

from api.access.sessions import LASTS
from api.app import create_app
from api.oidc.setup import Identity
from delivery.model.ids import SECOND
from delivery.settings import Oidc, Person
from tests.api.server import serving
from tests.api.world import NOW, bearer
from tests.oidc import CLIENT, SECRET, Idp, new_key, provider
from tests.system.chromium import Tab, chromium
from tests.system.scenes import Scene, waiting_for_approval
from tests.system.test_pages import BADGES, FOCUS, tab_to

SESSION, BEGUN = "__Host-delivery-session", "__Host-delivery-login"
PEOPLE = tuple(
    Person(principal=name, role="viewer", oidc=(f"{name}@example.org",), groups=("sre",) if name == "adam" else ())
    for name in ("adam", "olga")
)
ROLES = {"operator": ["payments"], "approver": ["reviewers"]}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, with its key, by itself."""
    key, name = new_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "delivery")])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return path


@dataclass
class House:
    """A provider on another site than ours, our pages, and a browser. A release waits for an approval."""

    tab: Tab
    idp: Idp
    made: Scene
    base: str

    def sign_in(self, person: str, group: str, answer: str = "yes") -> None:
        """As a person does it: the page is wanted, the button is pressed, the provider is told yes."""
        mail = f"{person}@example.org"
        self.idp.user = {"sub": f"s-{person}", "email": mail, "email_verified": True, "groups": [group]}
        self.tab.open(f"{self.base}/releases/{self.made.release}")
        self.tab.see("Sign in with Example")
        tab_to(self.tab, f"{FOCUS}.textContent === 'Sign in with Example'")
        self.tab.press("Enter")
        self.tab.see("Sign in to delivery?")
        tab_to(self.tab, f"{FOCUS}.id === {answer!r}")
        self.tab.press("Enter")

    @property
    def path(self) -> str:
        return str(self.tab.run("location.pathname"))


@pytest.fixture
def house(certificate: Path, tmp_path: Path) -> Iterator[House]:
    """The browser is gone before the server is: it answers no goodbye on connections that it keeps for later."""
    with provider(NOW / SECOND) as idp:
        idp.asks, idp.issuer = True, idp.issuer.replace("127.0.0.1", "localhost")
        oidc = Oidc.model_validate(
            {"issuer": idp.issuer, "client_id": CLIENT, "client_secret": SECRET, "title": "Example", "roles": ROLES}
        )
        made = Scene(Identity(oidc, {}, PEOPLE))
        with TestClient(made.world.app) as http:
            made.begin(http)
            waiting_for_approval(made)
            services = made.world.services
            with (
                serving(lambda base: create_app(replace(services, public_url=base)), certificate) as base,
                chromium(tmp_path) as tab,
            ):
                tab.trust_everybody()
                yield House(tab, idp, made, base)
                assert tab.failures == []


def test_somebody_signs_in_approves_and_signs_out(house: House) -> None:
    tab = house.tab
    house.sign_in("adam", "reviewers")
    tab.wait(f"{BADGES} !== ''")
    assert house.path == f"/releases/{house.made.release}", "back to where they wanted to be"
    tab.see("adam, approver")
    cookies = tab.cookies()
    assert list(cookies) == [SESSION], "what was begun is over"
    kept = cookies[SESSION]
    assert (kept["httpOnly"], kept["secure"], kept["sameSite"], kept["path"]) == (True, True, "Lax", "/")
    lasts = kept["expires"] - datetime.now(UTC).timestamp()
    assert 0 < lasts <= LASTS / SECOND
    assert tab.run("document.cookie") == ""

    tab_to(tab, f"{FOCUS}.parentElement.id === 'act-approve'")
    tab.press("Enter")
    tab_to(tab, f"{FOCUS}.id === 'why-approve'")
    tab.type("looks good")
    tab.press("Enter")
    tab.see("Your approval is recorded.")
    house.made.world.go(5)
    tab.wait(f"{BADGES}.startsWith('canary 25%')")
    events = house.made.http.get(f"/v1/releases/{house.made.release}/events", headers=bearer("adam")).text
    assert "adam approved canary 25% (3/3) (by page): looks good" in events

    tab_to(tab, f"{FOCUS}.textContent === 'Sign out'")
    tab.press("Enter")
    tab.wait("location.pathname === '/login'")
    assert tab.cookies() == {}
    tab.send("Network.setCookie", url=house.base, name=SESSION, value=kept["value"], secure=True, path="/")
    tab.open(f"{house.base}/releases")
    assert house.path == "/login", "the session is over here too, whoever kept its cookie"


def test_whoever_started_it_is_told_why_they_cannot_approve_it(house: House) -> None:
    house.sign_in("olga", "payments")
    house.tab.see("olga, operator")
    house.tab.wait(f"{BADGES} !== ''")
    assert house.tab.run("document.getElementById('act-approve') === null")
    house.tab.see("started this release; somebody else must approve it")


def test_an_answer_to_what_another_browser_began(house: House) -> None:
    tab = house.tab
    house.sign_in("adam", "reviewers", answer="no")
    tab.see("Signing in failed: the provider refused: access_denied.")
    tab.open(f"{house.base}/login/oidc")
    tab.see("Sign in to delivery?")
    assert set(tab.cookies()) == {BEGUN}
    answer = tab.run("document.getElementById('yes').href")
    tab.open(answer.replace("state=", "state=x"))
    tab.see("Signing in failed: it was begun in another browser, or too long ago: try once more.")
    assert tab.cookies() == {}, "nobody is signed in, and what was begun is over"
    tab.open(answer)
    tab.see("Signing in failed")
    tab.open(f"{house.base}/releases")
    assert house.path == "/login"
    tab.failures.clear()  # the browser logs each answer 401 as one
