"""Releases that really were, through today's gates: from what the API has kept."""

from delivery.cli.client import Api
from delivery.cli.replay.past_releases import judged_again
from delivery.model.ids import SECOND
from tests.api.world import secret
from tests.unit.cli.replay.test_replay_core import judge


def test_what_was_rolled_back_and_what_was_promoted_are_judged_again(sh, checkout, transport):
    for version, rate in (("1.4.2", 0.0), ("1.4.3", 0.2)):
        checkout.fails(version, rate)
        sh("release", "start", "checkout", version)
        checkout.go(240)
    api = Api("http://127.0.0.1:8080", secret("vera"), transport)
    judges = [judge(), judge("threshold", today=True, limit=0.999, over=10 * SECOND)]
    bad, good, *_ = judged_again(api, "checkout", "2020-01-01T00:00:00Z", judges)
    api.close()
    assert (bad["version"], bad["state"]) == ("1.4.3", "rolled_back")
    assert bad["gates"]["ratio"]["failed"]
    assert bad["says"].startswith("would fail ratio after ")
    assert "threshold (today) after" in bad["says"]
    assert "(not blocking)" in bad["says"]
    assert (good["version"], good["state"], good["says"]) == ("1.4.2", "promoted", "no gate would fail")
    assert good["ticks"] > 0
