"""A certificate authority for one run, and the keys and certificates that the control plane serves with."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

from tests.cluster.testbed.process import CannotRun

DAYS = "2"
_NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc,DNS:istiod.istio-system.svc"


@dataclasses.dataclass(frozen=True)
class Certificates:
    """PEM files: the authority, a server on 127.0.0.1, the key that signs service account tokens, and the authorities
    whose client certificates the API server takes, which it reads again when the file changes."""

    authority: Path
    clients: Path
    certificate: Path
    key: Path
    accounts_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Raises CannotRun where there is no openssl."""
    if shutil.which("openssl") is None:
        raise CannotRun("there is no openssl; on Debian or Ubuntu: apt-get install openssl")
    folder.mkdir(parents=True)
    made = Certificates(
        folder / "ca.pem", folder / "clients.pem", folder / "server.pem", folder / "server.key", folder / "accounts.key"
    )
    authority_key, request, names = folder / "ca.key", folder / "server.csr", folder / "names"
    names.write_text(f"{_NAMES}\nextendedKeyUsage=serverAuth\n")
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    _openssl(*new, "-x509", "-days", DAYS, "-subj", "/CN=testbed", "-keyout", authority_key, "-out", made.authority)
    _openssl(*new, "-subj", "/CN=control-plane", "-keyout", made.key, "-out", request)
    signer = ("-CA", made.authority, "-CAkey", authority_key, "-CAcreateserial")
    _openssl("x509", "-req", "-days", DAYS, "-in", request, *signer, "-extfile", names, "-out", made.certificate)
    _openssl("genrsa", "-out", made.accounts_key, "2048")
    made.clients.write_bytes(made.authority.read_bytes())
    return made


@dataclasses.dataclass(frozen=True)
class Client:
    """An administrator's client certificate, and the authority that it is signed by: PEM files."""

    authority: Path
    certificate: Path
    key: Path


def make_client(folder: Path, name: str) -> Client:
    """One of a new authority of its own, called `name`."""
    made = Client(folder / f"{name}-ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
    authority_key, request = folder / f"{name}-ca.key", folder / f"{name}.csr"
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _openssl(*new, "-x509", "-days", DAYS, "-subj", f"/CN={name}-ca", "-keyout", authority_key, "-out", made.authority)
    _openssl(*new, "-subj", f"/O=system:masters/CN={name}", "-keyout", made.key, "-out", request)
    signer = ("-CA", made.authority, "-CAkey", authority_key, "-CAcreateserial")
    _openssl("x509", "-req", "-days", DAYS, "-in", request, *signer, "-out", made.certificate)
    return made


def _openssl(*arguments: object) -> None:
    done = subprocess.run(
        ["openssl", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise CannotRun(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
