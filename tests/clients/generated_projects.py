"""What is versioned of the clients, laid out in a folder of its own, and the Makefile's targets run there."""

import os
import shutil
import subprocess
import sys

from tests.live import ROOT

GENERATED = ("sendmeter_client", "schema.ts", "dist", "node_modules")


def generate(target, folder, *, there=("run", "test", "node"), **environment):
    """Run a target of the Makefile, where the stamps that are named count as there; give what it printed."""
    stamps = [f"--assume-old=.venv/{name}.stamp" for name in there]
    done = subprocess.run(
        [shutil.which("make"), *stamps, "NODE_PROJECTS=clients/typescript", target],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def lay_out(folder):
    """Copy what the targets read; link what was installed."""
    shutil.copytree(ROOT / "clients", folder / "clients", ignore=shutil.ignore_patterns(*GENERATED))
    for name in ("Makefile", "openapi.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "clients/typescript/node_modules").symlink_to(ROOT / "clients/typescript/node_modules")
    return folder


def guide(language):
    """Return the program that the guide for client developers shows of a generated client."""
    section = (ROOT / "docs/guides/client.md").read_text().partition("\n## Generated clients\n")[2]
    return section.partition(f"```{language}\n")[2].partition("```")[0]
