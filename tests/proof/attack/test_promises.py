"""`SECURITY.md` promises what is tried here, and no less than what is tried."""

import re
from pathlib import Path

from sendmeter.domain.events import BATCH_LIMIT
from sendmeter.domain.keys import SECRET_BYTES
from sendmeter.serving.protocol import HEAD_LIMIT
from sendmeter.strict_json import MOST_LEVELS
from sendmeter.web.boundary import BODY_LIMIT, LINE_LIMIT
from tests.live import ROOT

TEXT = (ROOT / "SECURITY.md").read_text()


def test_each_risk_is_documented_and_has_a_test():
    told = dict(re.findall(r"^\| (API\d+) .*\| (.+) \|$", TEXT, re.MULTILINE))
    assert list(told) == [f"API{number}" for number in range(1, 11)]
    for name, tried in told.items():
        assert all((ROOT / path).exists() for path in re.findall(r"\((tests/[^)]+)\)", tried)), name
        assert "(tests/" in tried, name


def test_each_attack_is_documented():
    here = Path(__file__)
    attacks = {path.name for path in here.parent.glob("test_*.py")} - {here.name}
    assert attacks == set(re.findall(r"\(tests/proof/attack/(test_\w+\.py)\)", TEXT))


def test_each_bound_is_as_documented():
    bounds = (
        r"A body may have (\d+) MiB and (\d+) levels, a header line (\d+) KiB, the header (\d+) KiB, a batch ([\d,]+)"
    )
    told = re.search(bounds, TEXT)
    assert [int(each.replace(",", "")) for each in told.groups()] == [
        BODY_LIMIT / 1024 / 1024, MOST_LEVELS, LINE_LIMIT / 1024, HEAD_LIMIT / 1024, BATCH_LIMIT
    ]  # fmt: skip
    assert f"{SECRET_BYTES} random bytes" in TEXT
