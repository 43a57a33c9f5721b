"""Events, receipts, polls, kills and outages in any order, on both databases: the sums are the plain ones.

PROOF_EXAMPLES asks for more, and PROOF_SEED for others than the suite runs each time (`make proof`).
"""

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from sendmeter.services.vault import Vault, new_key
from tests.integrations.standin import StandIn
from tests.proof.cost_machine import Told
from tests.proof.test_model import EXAMPLES, SEED, chosen


@pytest.mark.parametrize("records", [False, True])
def test_no_order_of_events_receipts_polls_kills_and_outages_changes_what_is_counted(store, records):
    vault = Vault(new_key())
    with StandIn() as standin:

        @seed(SEED)
        def machine():
            return Told(store, vault, standin, records)

        run_state_machine_as_test(machine, settings=chosen(EXAMPLES * 4))
