"""A worker that is killed before any of them has served."""

import re
import signal
import subprocess
import sys

from tests.cli.processes import wait_until

SCRIPT = """
import logging, os, signal, socket, sys, time
from sendmeter.serving.workers import Workers
logging.basicConfig(level="INFO", format="%(message)s")

def work(link):
    try:
        os.close(os.open("first", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        time.sleep(0.3)
        link.send(b".")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)

sys.exit(Workers(2, work, socket.socket(), 1).run())
"""


def test_a_worker_that_is_killed_before_any_served_does_not_end_the_others_and_is_replaced(tmp_path):
    with (tmp_path / "log").open("w") as log:
        popen = subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=tmp_path, stdout=log, stderr=log)
    told = (tmp_path / "log").read_text
    try:
        wait_until(lambda: len(re.findall(r"worker \d+ serves", told())) == 2 or popen.poll() is not None, 60)
        assert popen.poll() is None, told()
        popen.send_signal(signal.SIGTERM)
        popen.wait(20)
    finally:
        popen.kill()
        popen.wait(20)
    assert "was killed by SIGKILL" in told()
