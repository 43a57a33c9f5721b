"""Whatever callers do in whatever order, on both databases: every answer is the model's, to the last digit.

PROOF_EXAMPLES asks for more, and PROOF_SEED for others than the suite runs each time (`make proof`); PROOF_STEPS says
how long each is. PROOF_SHRINK=no shows a failure as it was found, without the minutes that it takes to make it small.
"""

import os

import httpx
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.machine import EARLIEST, Machine

EXAMPLES = int(os.environ.get("PROOF_EXAMPLES", "5"))
STEPS = int(os.environ.get("PROOF_STEPS", "40"))
SHRINK = os.environ.get("PROOF_SHRINK", "yes") == "yes"
PHASES = [Phase.generate, Phase.shrink] if SHRINK else [Phase.generate]
SEED = int(os.environ.get("PROOF_SEED", "1"))


def chosen(examples):
    """Return how a machine is run: as often, and as long, as was asked for."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )


def test_no_order_of_what_callers_do_brings_an_answer_that_a_plain_model_does_not_give(server):
    server.clock.now = EARLIEST
    operators, _ = server.organization()
    operator = server.key(operators, "operator").token
    with httpx.Client(timeout=30) as http:

        @seed(SEED)
        def machine():
            return Machine(server, operator, http)

        run_state_machine_as_test(machine, settings=chosen(EXAMPLES))
