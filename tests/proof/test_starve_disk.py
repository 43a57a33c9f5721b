"""A small disk of its own that fills up, and files that lose and get back their permissions."""

import os
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest

from tests.live import ROOT, SENDMETER, Process, _wait_for_url
from tests.proof.starving import LASTING_SECONDS, starving

READ_ONLY = "The database cannot be written to."
DISK = 64 * 1024**2
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""What permissions bind root with, who is the owner of the files."""


def run_on_a_disk(folder, *command, **options):
    """Run a command where a small disk is mounted that nobody else sees."""
    mount = f'mount -t tmpfs -o size={DISK} tmpfs {folder} && exec "$@"'
    return subprocess.run((*NAMESPACE, "sh", "-c", mount, "sh", *command), check=False, **options)


def may_mount(folder):
    with suppress(OSError):
        return run_on_a_disk(folder, "true", capture_output=True).returncode == 0
    return False


def test_a_disk_that_is_full_whatever_is_written_then_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not may_mount(disk):
        pytest.skip("this user may mount no disk here; test_starve_sqlite.py has files that cannot grow")
    command = (sys.executable, "-m", "tests.proof.full_disk", disk)
    done = run_on_a_disk(disk, *command, cwd=ROOT, capture_output=True, text=True, timeout=300 + 3 * LASTING_SECONDS)
    assert done.returncode == 0, done.stderr


@contextmanager
def served_without_privilege(url, folder, *_arguments, environment):
    """Start the server as somebody whom the permissions of files bind, be it root."""
    prefix = WITHOUT_PRIVILEGE if os.geteuid() == 0 else ()
    log = folder / "server.log"
    with log.open("wb") as stderr:
        command = (*prefix, SENDMETER, "serve", "--port", "0", "--database", url)
        popen = subprocess.Popen(command, stdout=stderr, stderr=stderr, env={**os.environ, **environment})
    try:
        yield Process(_wait_for_url(popen, log), popen, log)
    finally:
        popen.terminate()
        popen.wait(30)


def test_files_that_cannot_be_written_to_for_a_while_are_opened_anew(tmp_path):
    """A connection that was opened while they could only be read would never write again."""
    folder = tmp_path / "data"
    folder.mkdir()
    table = folder / "test.db"
    with starving(f"sqlite:///{table}", tmp_path, serve=served_without_privilege) as starved:
        # Nothing was recorded yet: the thread that will has opened no file.
        table.chmod(0o444)
        folder.chmod(0o555)
        with starved.sending():
            try:
                starved.starves(READ_ONLY)
            finally:
                folder.chmod(0o755)
                table.chmod(0o644)
            starved.recovers()
        starved.check()
