"""Whoever writes is killed before its statements, its commit among them: it has done all or nothing.

At each statement where PROOF_KILLS asks for more than one kill (`make proof`), else at the commit and one more, which
PROOF_SEED chooses.
"""

import random
import signal

import pytest

from sendmeter.services.verify import differences
from sendmeter.store import organizations
from tests.proof.crash_cases import CASES, content, prepared
from tests.proof.crash_checks import wait_until_quiet
from tests.proof.crash_cuts import CASE, cuts
from tests.proof.crash_run import reported, seed
from tests.proof.length import IS_LONG


@pytest.fixture
def cutting(tmp_path):
    with cuts(tmp_path) as made:
        yield made


def test_what_is_killed_at_any_statement_has_done_all_or_nothing_and_can_be_done_again(store, cutting):
    chance, killed = random.Random(seed()), 0
    for name, case in CASES.items():
        number = prepared(store)
        before = content(store, number)
        code, statements = cutting.run(store.url, CASE, name, number)
        assert code == 0, name
        after = content(store, number)
        assert after != before, name
        case(store, number)
        assert content(store, number) == after, f"{name}: done twice it is not as done once"
        for cut in moments(statements, chance):
            check_cut(store, cutting, name, cut, before, after)
            killed += 1
    reported(f"statements-{'sqlite' if store.is_sqlite else 'postgresql'}", {"cases": len(CASES), "kills": killed})


def moments(statements, chance):
    every = range(1, statements + 1)
    return every if IS_LONG else {chance.choice(every), statements}


def check_cut(store, cutting, name, cut, before, after):
    number = prepared(store)
    assert cutting.run(store.url, CASE, name, number, before=cut) == (-signal.SIGKILL, cut)
    wait_until_quiet(store)
    found = content(store, number)
    assert found in (before, after), f"{name} killed before its statement {cut} has done half of it: {found}"
    organization = store.read(lambda: organizations.by_number(store, number))
    assert differences(store, organization) == [], (name, cut)
    CASES[name](store, number)
    assert content(store, number) == after, (name, cut)
    assert differences(store, organization) == [], (name, cut)
