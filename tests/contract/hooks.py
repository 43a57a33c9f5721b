"""What the fuzzer must know beside the contract. Loaded by schemathesis.toml, not by pytest.

A schema cannot say «not more than 5 minutes ahead»: most valid date-times would be refused, truthfully.
"""

from datetime import UTC, datetime, timedelta

import schemathesis
from hypothesis import strategies

from sendmeter.domain.instants import read_instant

STARTED = datetime.now(UTC)
AHEAD = timedelta(minutes=4)

# Instants of the last minutes, in the forms that RFC 3339 knows.
schemathesis.openapi.format(
    "date-time",
    strategies.builds(
        lambda seconds, ending: (STARTED - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + ending,
        strategies.integers(0, 600),
        strategies.sampled_from(["Z", ".5Z", ".123456Z", "+00:00", "-00:00"]),
    ),
)


@schemathesis.hook
def filter_case(_context, case):
    """Leave out events of the future: the fuzzer takes instants from answers too, such as the end of the cycle."""
    return not any(_is_ahead(text) for text in _texts(case.body))


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def _is_ahead(text):
    try:
        return read_instant(text) > datetime.now(UTC) + AHEAD
    except ValueError:
        return False
