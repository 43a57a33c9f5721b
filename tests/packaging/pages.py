"""Pages for users whose commands are run as they stand, in order, each page in one shell in an empty folder.

Blocks fenced as ```sh, ```python and ```js are run (js where there is a Node.js with `fetch`); others are not, nor is
one below `<!-- not run: REASON -->`. A line that starts a server is put into the background on a free port, which then
stands for 8080 and 4010; the next such line stops that server first. A command that fails ends the page, but for a
`curl` that prints `%{http_code}`: that may be refused, if the text right above its block names the status.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.live import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
RUNS = {"sh": None, "python": "python -", "js": "node --input-type=module -"}
FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: [^\n]+ -->\s*\Z")
STARTS_A_SERVER = re.compile(r"^sendmeter (serve|mock|demo .*--serve)")
ALTERS = re.compile(r"SENDMETER_|.*_proxy$", re.IGNORECASE)  # variables that a reader is not taken to have set
MAY_BE_REFUSED = "%{http_code}"
START = """\
set -e -o pipefail
stop() { if [ -n "${server:-}" ]; then kill "$server"; wait "$server" || true; server=; fi; }
trap stop EXIT
"""
SERVE = """\
stop
{line} --port {port} > server.log 2>&1 &
server=$!
until curl -s -o /dev/null http://127.0.0.1:{port}/health/ready; do kill -0 "$server"; sleep 0.1; done
"""


@dataclass
class Block:
    """A block that is run: the number of its first line, its language, its lines, and the text right above it."""

    number: int
    language: str
    lines: str
    above: str


def blocks(text):
    """Return the blocks of a page that are run."""
    found, end = [], 0
    for match in FENCED.finditer(text):
        above, end = text[end : match.start()], match.end()
        language = match["language"]
        if language in RUNS and not NOT_RUN.search(above) and (language != "js" or has_node()):
            found.append(Block(text.count("\n", 0, match.start("lines")) + 1, language, match["lines"], above))
    return found


@cache
def has_node():
    """Return whether there is a Node.js of version 18 or newer."""
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout if node else ""
    return int((re.match(r"v(\d+)", version) or ["", "0"])[1]) >= 18


def script(text, port):
    """Write a page as one script."""
    parts = [START]
    for block in blocks(text):
        parts.append(f"printf '\\n--- line {block.number}\\n' | tee /dev/stderr\n")
        lines = re.sub(r"127\.0\.0\.1:(8080|4010)", f"127.0.0.1:{port}", block.lines)
        if program := RUNS[block.language]:
            parts.append(f"{program} <<'END OF BLOCK'\n{lines}END OF BLOCK\n")
            continue
        for line in lines.replace("\\\n", " ").splitlines():
            if STARTS_A_SERVER.match(line):
                parts.append(SERVE.format(line=line, port=port))
            else:
                parts.append(line + (" --no-fail-with-body\n" if MAY_BE_REFUSED in line else "\n"))
    return "".join(parts)


class Printed:
    """What each block of a page printed on standard output."""

    def __init__(self, outputs):
        self.outputs = outputs

    def __getitem__(self, part):
        """Return what the one block that has this text in it printed."""
        return self._one(part, [output for block, output in self.outputs if part in block.lines])

    def below(self, part):
        """Return what the one block that has this text right above it printed."""
        return self._one(part, [output for block, output in self.outputs if part in block.above])

    @staticmethod
    def _one(part, found):
        assert len(found) == 1, f"{len(found)} blocks have {part!r}"
        return found[0]


def run(page, folder, **environment):
    """Run a page in an empty folder; give what it printed."""
    text = page.read_text()
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    # A status of 400 or more ends the script, as it would end a reader's patience.
    (home / ".curlrc").write_text("fail-with-body\nmax-time = 30\n")
    kept = {name: value for name, value in os.environ.items() if not ALTERS.match(name)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script(text, free_port())],
        cwd=work,
        env={**kept, "HOME": str(home), "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = re.split(r"^--- line (\d+)\n", done.stdout, flags=re.MULTILINE)
    run_blocks = blocks(text)
    assert [int(number) for number in parts[1::2]] == [block.number for block in run_blocks]
    outputs = list(zip(run_blocks, parts[2::2], strict=True))
    check_statuses(outputs)
    return Printed(outputs)


def check_statuses(outputs):
    """Fail where a status was printed that the text above its block does not name."""
    for block, output in outputs:
        if not (count := block.lines.count(MAY_BE_REFUSED)):
            continue
        statuses = re.findall(r" (\d{3})$", output, re.MULTILINE)
        assert len(statuses) == count, (block.number, output)
        assert all(re.search(rf"\b{status}\b", block.above) for status in statuses), (block.number, output)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
