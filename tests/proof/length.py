"""What `make test` has no time for, and `make proof` has: that sets PROOF_KILLS."""

import os

import pytest


def wanted_kills(default):
    """Return how often each configuration is killed."""
    return int(os.environ.get("PROOF_KILLS", default))


IS_LONG = wanted_kills(1) > 1
long_only = pytest.mark.skipif(not IS_LONG, reason="`make proof` runs it, or PROOF_KILLS=2; `make test` has no time")
