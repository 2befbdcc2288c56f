"""The server's configuration: what is read, and what a mistake is told as."""

import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from delivery.model.ids import HOUR
from delivery.model.role import Role
from delivery.settings import Settings, SettingsError, load, parse

FILE = f"""
[server]
public_url = "https://delivery.example.org/"

[database]
url = {{ env = "DB" }}

[broker]
url = "redis://127.0.0.1:6379/0"

[clusters.local]
mesh = {{ kind = "envoy", directory = "/run/envoy", admin = 9901 }}
workloads = {{ kind = "process" }}
metrics = {{ kind = "envoy", admin = 9901 }}

[processes.checkout]
command = ["checkout", "--version", "{{version}}", "--port", "{{port}}"]

[sources.ci]
dialect = "cloudevents"
secrets = [{{ file = "SECRET" }}, "whsec_b2xk"]

[[tokens]]
name = "alice-laptop"
principal = "alice"
role = "operator"
groups = ["sre"]
sha256 = "{sha256(b"a").hexdigest()}"

[notify.slack]
kind = "slack"
channels = ["#checkout"]
"""


@pytest.fixture
def file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("whsec_bmV3\n")
    path = tmp_path / "delivery.toml"
    path.write_text(FILE.replace("SECRET", str(secret)))
    return path


def test_a_whole_file_is_read_with_its_secrets_from_outside(file):
    settings = load({"DB": "sqlite:///x.db", "DELIVERY_CONFIG": str(file)})
    assert settings.database.url == "sqlite:///x.db"
    assert settings.server.public_url == "https://delivery.example.org"
    assert settings.sources["ci"].secrets == ("whsec_bmV3", "whsec_b2xk")
    mesh = settings.clusters["local"].mesh
    assert (mesh.kind, mesh.arguments) == ("envoy", {"directory": "/run/envoy", "admin": 9901})
    assert settings.tokens[0].role is Role.OPERATOR
    assert settings.notify["slack"].arguments == {"channels": ["#checkout"]}


def test_the_environment_wins_over_the_file(file):
    environ = {
        "DB": "sqlite:///x.db",
        "DELIVERY_DATABASE_URL": "sqlite:///y.db",
        "DELIVERY_BROKER_URL": "redis://h:1/0",
    }
    settings = load(environ, str(file))
    assert (settings.database.url, settings.broker and settings.broker.url) == ("sqlite:///y.db", "redis://h:1/0")


def test_secrets_do_not_show_in_a_printed_configuration(file):
    shown = repr(load({"DB": "postgresql+psycopg://u:hunter2@h/d"}, str(file)))
    assert "checkout" in shown
    assert "hunter2" not in shown
    assert "whsec" not in shown
    assert sha256(b"a").hexdigest() not in shown


def minimal(**changes):
    adapters = {"mesh": {"kind": "memory"}, "workloads": {"kind": "memory"}, "metrics": {"kind": "memory"}}
    return {"database": {"url": "sqlite://"}, "clusters": {"local": adapters}, **changes}


def token(**changes):
    return {"name": "a", "principal": "alice", "role": "viewer", "sha256": "0" * 64, **changes}


def test_the_smallest_configuration():
    settings = parse(minimal(), {})
    assert settings.broker is None
    assert settings.tokens == ()


RULE = {"repositories": ["acme/checkout"], "refs": ["refs/heads/main"], "services": ["checkout"]}


@pytest.mark.parametrize(
    ("document", "field", "text"),
    [
        ({"clusters": {}}, "database", 'missing; expected a table: [database] with url = "sqlite:///FILE"'),
        (minimal(clusters={}), "clusters", "not usable; expected at least one table [clusters.NAME]"),
        (minimal(clusters={"Prod_EU": {}}), "clusters.Prod_EU", "not a DNS-1123 name"),
        (minimal(clusters={"a": {"mesh": {}}}), "clusters.a.mesh.kind", "missing; expected the name of an adapter"),
        (
            minimal(retention={"ticks": "30"}),
            "retention.ticks",
            'not usable; expected "forever", or a number of days such as "90d", at least "1d"',
        ),
        (minimal(retention={"inbox": "6d"}), "retention.inbox", 'at least "7d"'),
        (minimal(brokers={}), "brokers", "unknown field; did you mean broker?"),
        (minimal(broker={"url": "amqp://h"}), "broker.url", "expected a Redis URL"),
        (minimal(server={"publc_url": "x"}), "server.publc_url", "unknown field; did you mean public_url?"),
        (minimal(server={"public_url": "ftp://h"}), "server.public_url", "expected the http(s) URL"),
        (
            minimal(tokens=[token(sha256="abc")]),
            "tokens[0].sha256",
            "expected the SHA-256 of the token in 64 hex digits",
        ),
        (minimal(tokens=[token(role="root")]), "tokens[0].role", "expected viewer, approver, operator or admin"),
        (minimal(tokens=[token(), token(name="b")]), "", "two tokens have the same sha256 (a, b)"),
        (minimal(tokens=[token(), token(sha256="1" * 64)]), "", "two tokens have the same name (a)"),
        (
            minimal(sources={"ci": {"dialect": "cloudevents", "secrets": []}}),
            "sources.ci.secrets",
            "at least one secret",
        ),
        (minimal(oidc={"issuer": "http://id.example.org"}), "oidc.issuer", "the https URL of the issuer"),
        (minimal(oidc={"issuer": "https://i", "roles": {"root": ["x"]}}), "oidc.roles.root", 'admin = ["platform"]'),
        (minimal(oidc={"issuer": "https://i", "algorithms": ["HS256"]}), "oidc.algorithms[0]", "none is symmetric"),
        (minimal(ci={"g": {"kind": "github", "rules": []}}), "ci.g.rules", "tables [[ci.NAME.rules]]"),
        (
            minimal(ci={"g": {"kind": "github", "rules": [{**RULE, "refs": []}]}}),
            "ci.g.rules[0].refs",
            "refs/heads/main",
        ),
        (minimal(ci={"g": {"kind": "jenkins", "rules": [RULE]}}), "ci.g.kind", "github or gitlab"),
        (minimal(tokens=[token(actions=["fly"])]), "tokens[0].actions[0]", "of start, approve"),
        (minimal(tokens=[token(expires_at="soon")]), "tokens[0].expires_at", "a time with its zone"),
        (minimal(processes={"c": {"command": "x"}}), "processes.c.command", "expected a list: the program"),
        (minimal(database={"url": {"env": "NOPE"}}), "database.url", "the environment variable NOPE is not set"),
        (minimal(database={"url": {"file": "/no/such"}}), "database.url", "cannot read the file that it names"),
    ],
)
def test_a_mistake_names_the_field_and_what_is_expected(document, field, text):
    with pytest.raises(SettingsError) as caught:
        parse(document, {})
    found = dict(caught.value.mistakes)
    assert text in found[field]
    assert field in str(caught.value)


@pytest.mark.parametrize("wrong", ["sqlite:///x.db", 7, {"env": "NOPE"}])
def test_a_table_that_is_none_is_told_so_also_where_a_variable_would_set_its_field(wrong):
    with pytest.raises(SettingsError) as caught:
        parse(minimal(database=wrong), {"DELIVERY_DATABASE_URL": "sqlite:///y.db"})
    assert [field for field, _ in caught.value.mistakes] == ["database"]


def test_how_long_things_are_kept_is_told_in_days():
    kept = parse(minimal(retention={"ticks": "2d", "inbox": "forever"}), {}).retention
    assert (kept.ticks, kept.inbox, kept.outbox) == (48 * HOUR, None, 90 * 24 * HOUR)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        parse(minimal(broker={"url": "x"}, tokens=[token(role="root")]), {})
    assert [field for field, _ in caught.value.mistakes] == ["broker.url", "tokens[0].role"]


@pytest.mark.parametrize("content", [b"a = ", b"\xff"])
def test_a_file_that_is_no_toml_is_told_so(tmp_path, content):
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not a readable TOML file"):
        load({}, str(path))


def test_a_missing_file_is_named_with_the_way_to_name_another(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml.*\n.*DELIVERY_CONFIG"):
        load({}, str(tmp_path / "nowhere.toml"))


def test_each_role_may_what_the_ones_before_it_may():
    assert [[role.covers(other) for other in Role] for role in Role] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]


def test_settings_are_values():
    assert parse(minimal(), {}) == parse(minimal(), {})
    assert isinstance(parse(minimal(), {}), Settings)


def test_the_documented_configuration_is_one_that_can_be_used(tmp_path):
    documented = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = documented.split("```toml\n")[1].split("```")[0].replace("/run/secrets/", f"{tmp_path}/")
    (tmp_path / "ci").write_text("whsec_bmV3")
    (tmp_path / "oidc").write_text("the secret of a client")
    settings = parse(tomllib.loads(example), {"DATABASE_URL": "sqlite:///delivery.db"})
    assert set(settings.clusters) == {"local"}
    assert [name for name in Settings.model_fields if f"[{name}" not in example] == []


def test_a_value_of_the_environment_may_have_a_line_end_as_that_of_a_file(tmp_path):
    """Secrets made with `echo` have one, and a token with it is none: whoever is asked says so, with the token."""
    (tmp_path / "url").write_text("sqlite:///of-file.db\n")
    for value, environ in (
        ({"file": str(tmp_path / "url")}, {}),
        ({"env": "URL"}, {"URL": "sqlite:///of-file.db\n"}),
        ("sqlite:///other.db", {"DELIVERY_DATABASE_URL": " sqlite:///of-file.db\r\n"}),
    ):
        assert parse(minimal(database={"url": value}), environ).database.url == "sqlite:///of-file.db"
