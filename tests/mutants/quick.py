"""A plugin of pytest for the tests that mutants are tried with: few examples, SQLite alone, what is quick first."""

import gc
import json
import os
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, settings

EXAMPLES = int(os.environ.get("MUTANT_EXAMPLES", "60"))
STATISTICS = Path("mutmut-stats.json")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Stand in a time zone that no test names: what asks the machine for its own gives another answer there.

    And write where nobody else does: pytest, told to keep nothing, removes what all its processes have when one ends.
    """
    config.option.basetemp = Path(tempfile.gettempdir(), f"mutant-{os.getpid()}")
    os.environ["TZ"] = "Pacific/Marquesas"
    time.tzset()
    # Nothing that a fork has got from its parent is looked through for garbage, which would copy it.
    gc.freeze()


@cache
def remembering():
    """Return the functions of the product that remember what they gave."""
    modules = [module for name, module in sys.modules.items() if name.startswith("sendmeter")]
    return [found for module in modules for found in vars(module).values() if hasattr(found, "cache_clear")]


def pytest_runtest_setup():
    """Forget what other tests had remembered, also those that ran, without a mutant, before this process was forked."""
    for each in remembering():
        each.cache_clear()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if not _wants_postgresql(item)]
    took = json.loads(STATISTICS.read_text())["duration_by_test"] if STATISTICS.exists() else {}
    items.sort(key=lambda item: took.get(item.nodeid, 0))
    for item in items:
        if hasattr(item.obj, "_hypothesis_internal_use_settings"):
            _with_few_examples(item.obj)


def _wants_postgresql(item):
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    chosen = parameters.get("database_url")
    return chosen == "postgresql" or (chosen is None and any("postgres" in name for name in item.fixturenames))


def _with_few_examples(test):
    """Nobody reads what is found, so that nothing is made smaller; nor is it kept for another mutant's tests."""
    known = test._hypothesis_internal_use_settings
    test._hypothesis_internal_use_settings = settings(
        known,
        max_examples=min(known.max_examples, EXAMPLES),
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
    )
