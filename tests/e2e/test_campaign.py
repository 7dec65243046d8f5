"""The fault campaign (tools/campaign) in short: that nothing is lost or doubled whoever dies, is paused or cut off.
The long one is in tools/check --all."""

import json
import os
import sys
from pathlib import Path

import pytest

from support.proc import Process

TESTS = Path(__file__).parents[1]


@pytest.mark.timeout(1500)
def test_campaign_of_a_minute(tmp_path):
    seed = os.environ.get("TENANTRY_SEED")
    words = ["--seconds", "60", "--cuts", "3", "6", "--folder", tmp_path, *(["--seed", seed] if seed else [])]
    campaign = Process(
        [sys.executable, "-m", "campaign", *words], tmp_path / "campaign.log", "campaign",
        {"PYTHONPATH": f"{TESTS / 'e2e'}:{TESTS}"},
    )  # fmt: skip
    try:
        code = campaign.wait_exit(1400)
    finally:
        campaign.stop()
    assert code == 0
    told = json.loads(campaign.output().splitlines()[-1])
    print(told)
    assert told["well"] and sum(told["faults"].values()) >= 3
    assert (told["missing"], told["double"], told["unacked_double"], told["stray"]) == (0, 0, 0, 0)
