"""A contract that is broken anyhow is told of in words: to lint or to compare one never fails by itself."""

from copy import deepcopy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendmeter.contract import contract
from sendmeter.contract.reading import Unreadable, parse
from sendmeter.gate.changes import changes
from sendmeter.gate.rules import unsound, violations


def places(value, path=()):
    """Return the path of each part of a document."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in steps:
        yield (*path, name)
        yield from places(part, (*path, name))


PLACES = list(places(contract().document))
ODD = [
    None,
    True,
    0,
    -1.5,
    "",
    "no",
    "#/components/schemas/Event",
    [],
    [None],
    {},
    {"$ref": "#/nowhere"},
    {"type": "no"},
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from([..., *ODD])), min_size=1, max_size=3))
def test_a_broken_contract_is_linted_and_compared_without_a_crash(planted):
    document = deepcopy(contract().document)
    for (*steps, last), value in planted:
        target = document
        try:
            for step in steps:
                target = target[step]
            target[last] = value
            if value is ...:
                del target[last]
        except (KeyError, IndexError, TypeError):
            continue  # what was planted before has taken it away
    if not unsound(document):
        assert isinstance(changes(contract().document, document), list)
    for violation in violations(document, frozenset()):
        assert violation.rule
        assert violation.where
        assert violation.what
        assert len(violation.what) < 1000


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(contract().yaml_bytes)), st.binary(max_size=20))
def test_a_damaged_file_is_read_or_refused_without_a_crash(position, damage):
    written = contract().yaml_bytes
    try:
        document = parse(written[:position] + damage, "openapi.yaml")
    except Unreadable:
        return
    violations(document)
