"""Programs that some tests need beside Python: Node.js, Chromium. A test that lacks one is skipped, and says so.

In CI nothing may be missing: there they fail.
"""

import os
import shutil

import pytest


def program(*names, install):
    """Find a program by one of its names; `install` says how to get it."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing(f"there is no {names[0]} on the PATH. {install}")
    return found


def missing(what):
    """Skip the test that needs what is missing, and say so; in CI let it fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
