"""What a team writes into its service file chooses among what the server's configuration gives, and adds nothing."""

import pytest

from tests.api.world import SERVICE, bearer

PLACED = {
    "service": "checkout",
    "cluster": "prod",
    "namespace": "shop",
    "workload": {"deployment": "checkout"},
}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"cluster": "mars"}, "cluster"),
        ({"cluster": ["local", "mars"]}, "cluster"),
        ({"workload": {"process": "another"}}, "workload.process"),
        ({"workload": {"deployment": "checkout"}, "namespace": "kube-system"}, "namespace"),
        ({"namespace": "kube-system"}, "namespace"),
        ({"notify": {"teams": "#somewhere"}}, "notify.teams"),
        ({"clusters": {"mars": {"mesh": {"kind": "envoy"}}}}, "clusters"),
        ({"tokens": [{"name": "mine"}]}, "tokens"),
        ({"sources": {"mine": {"dialect": "github"}}}, "sources"),
        ({"hooks": {"smoke": {"http": "https://evil.example/", "path": "/x"}}}, "hooks"),
        ({"hooks": {"smoke": {"http": "nowhere", "path": "/x"}}}, "hooks"),
        ({"subscribers": {"mine": {"url": "https://evil.example"}}}, "subscribers"),
        ({"processes": {"mine": {"command": ["sh"]}}}, "processes"),
    ],
)
def test_a_file_that_wants_more_is_refused_with_the_place(http, change, place):
    answer = http.put("/v1/services/checkout", json={**SERVICE, **change}, headers=bearer("root"))
    assert answer.status_code == 422, answer.text
    assert [one["place"] for one in answer.json()["mistakes"] if one["place"].startswith(place)], answer.text
    assert http.get("/v1/services/checkout", headers=bearer("root")).status_code == 404


def test_not_even_an_admin_names_what_the_server_has_not(http):
    """The file is the same whoever applies it: rights are of the caller, places of the configuration."""
    for person in ("olga", "root"):
        answer = http.put("/v1/services/checkout", json=PLACED, headers=bearer(person))
        assert answer.status_code == 422
        assert "prod" in answer.text
