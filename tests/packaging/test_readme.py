"""The README's commands are run as they stand, in order, in one shell in an empty folder.

Blocks fenced as ```sh are run; ```console and ```text are not, nor is one below `<!-- not run: REASON -->`. A line that
starts a server is put into the background on a free port, which then stands for 8080 in the lines after it.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import ROOT

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"(?P<not_run><!-- not run: [^\n]+ -->\n+)?^```sh\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
STARTS_A_SERVER = re.compile(r"^sendmeter (serve|demo .*--serve)", re.MULTILINE)
START = """\
set -e
trap '[ -z "${server:-}" ] || { kill "$server"; wait "$server" || true; }' EXIT
"""
WAIT = (
    'server=$!\ncurl -s -o /dev/null --retry 60 --retry-delay 1 --retry-connrefused "http://{address}/health/ready"\n'
)


def blocks(text):
    """Give the line number and the text of each block that is run."""
    found = [match for match in BLOCK.finditer(text) if not match["not_run"]]
    return [(text.count("\n", 0, match.start("lines")) + 1, match["lines"]) for match in found]


def script(text):
    """Write the whole README as one script."""
    parts, address = [START], "127.0.0.1:8080"
    for number, lines in blocks(text):
        parts.append(f"printf '\\n--- README.md line {number}\\n' | tee /dev/stderr\n")
        for line in lines.replace("\\\n", " ").splitlines():
            if STARTS_A_SERVER.match(line):
                address = f"127.0.0.1:{free_port()}"
                parts.append(f"{line} --port {address.rpartition(':')[2]} > server.log 2>&1 &\n")
                parts.append(WAIT.format(address=address))
            else:
                parts.append(line.replace("127.0.0.1:8080", address) + "\n")
    return "".join(parts)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run the README; give what each block printed, by the number of its first line."""
    folder = tmp_path_factory.mktemp("readme")
    home = tmp_path_factory.mktemp("home")
    # A status of 400 or more ends the script, as it would end a reader's patience.
    (home / ".curlrc").write_text("fail-with-body\nmax-time = 30\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENDMETER_")}
    done = subprocess.run(
        ["bash", "-c", script(README)],
        cwd=folder,
        env=environment | {"HOME": str(home), "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = re.split(r"^--- README.md line (\d+)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))


def test_the_readme_has_commands_to_run():
    assert blocks(README)


def test_every_command_of_the_readme_succeeds_in_an_empty_folder_and_its_usage_is_what_its_events_add_up_to(ran):
    assert list(ran) == [number for number, _ in blocks(README)]
    asked = [number for number, lines in blocks(README) if re.search(r"/organization/usage\b(?!/)", lines)]
    assert asked
    assert '"messageUsage":1,' in ran[asked[0]]
    assert '"budgetUsage":0.0109,' in ran[asked[0]]


def test_the_rules_for_blocks_leave_out_what_is_not_to_be_run():
    text = "```sh\na\n```\n<!-- not run: needs a disk -->\n```sh\nb\n```\n```text\nc\n```\n```sh\nd\n```\n"
    assert blocks(text) == [(2, "a\n"), (12, "d\n")]
