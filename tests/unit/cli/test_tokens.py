"""`delivery token`: handed out, listed, revoked."""

import json


def test_a_token_is_made_used_listed_and_revoked(sh, checkout):
    made = sh(
        "token", "create", "robot", "--principal", "robot", "--role", "viewer", "--service", "checkout", who="root"
    )
    secret = made.out.strip()
    assert secret.startswith("dlv_")
    assert "shown this once" in made.err
    assert sh("release", "list", "--token", secret).code == 0
    refused = sh("token", "list", "--token", secret)
    assert (refused.code, "needs the role admin" in refused.err) == (1, True)
    table = sh("token", "list", who="root").out
    assert "services: checkout" in table
    assert secret not in table
    assert sh("token", "revoke", "robot", who="root").code == 0
    assert sh("release", "list", "--token", secret).code == 1
    again = sh("token", "revoke", "nobody", who="root")
    assert (again.code, "there is no token nobody" in again.err) == (1, True)


def test_a_token_until_it_is_revoked(sh, checkout):
    options = ("--principal", "robot", "--role", "operator", "--action", "start", "--action", "abort", "-o", "json")
    made = json.loads(sh("token", "create", "robot", *options, "--never", who="root").out)
    assert (made["token"]["expires_at"], made["token"]["scope"]["actions"]) == (None, ["start", "abort"])
    assert sh("token", "create", "other", *options, "--never", "--days", "3", who="root").code == 64
