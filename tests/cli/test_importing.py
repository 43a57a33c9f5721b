"""`sendmeter import` of NDJSON: every good event once, every bad line named, whatever comes between."""

import json
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.live import SENDMETER, run_cli, run_json

NOTHING = {"accepted": 0, "duplicates": 0, "late": 0, "notStored": 0, "badLines": []}


def run_import(founded, file, *arguments, **options):
    return run_json(
        "import", str(file), "--organization", founded.organization_id, *arguments,
        database_url=founded.store.url, **options,
    )  # fmt: skip


def write(tmp_path, *lines):
    """Write lines of text or bytes to a file, each with its end."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() + b"\n" for line in lines))
    return path


def email(number, **more):
    return json.dumps({"id": f"e{number}", "channel": "EMAIL", **more})


def test_a_file_adds_up_to_the_last_digit_and_counts_nothing_twice_when_it_is_imported_again(
    founded, traffic, tmp_path
):
    made = traffic(2500)
    file = write(tmp_path, *made.lines())
    assert run_import(founded, file) == NOTHING | {"accepted": 2500}
    assert made.sums().items() <= founded.usage().items()
    assert run_import(founded, file) == NOTHING | {"duplicates": 2500}
    assert made.sums().items() <= founded.usage().items()
    run_cli("verify", database_url=founded.store.url)


def test_events_come_through_standard_input(founded, traffic):
    made = traffic(30)
    assert run_import(founded, "-", stdin="\n".join(made.lines())) == NOTHING | {"accepted": 30}
    assert made.sums().items() <= founded.usage().items()


def test_a_bad_line_is_named_and_keeps_its_batch_out_while_others_are_stored(founded, traffic, tmp_path):
    made = traffic(2500)
    lines = made.lines()
    lines[1499] = lines[1499][:-1]
    lines[1599] = lines[1599].replace('"channel": "', '"channel": "X')
    report = run_import(founded, write(tmp_path, *lines), expected=1)
    assert report | {"badLines": 0} == NOTHING | {"accepted": 1500, "notStored": 1000, "badLines": 0}
    assert [line.partition(":")[0] for line in report["badLines"]] == ["line 1500", "line 1600"]
    assert "channel" in report["badLines"][1]
    assert founded.rows("SELECT count(*) FROM events") == [(1500,)]

    assert run_import(founded, write(tmp_path, *made.lines())) == NOTHING | {"accepted": 1000, "duplicates": 1500}
    assert made.sums().items() <= founded.usage().items()


def test_an_import_stopped_in_the_middle_by_ctrl_c_is_finished_by_running_it_again(founded, traffic, tmp_path):
    made = traffic(2500)
    file = write(tmp_path, *made.lines())
    arguments = ["import", "-", "--organization", founded.organization_id, "--database", founded.store.url, "--json"]
    stopped = subprocess.Popen(
        [SENDMETER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        stopped.stdin.write(file.read_bytes())
        stopped.stdin.flush()
        deadline = time.monotonic() + 30
        while founded.rows("SELECT count(*) FROM events") != [(2000,)]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        stopped.send_signal(signal.SIGINT)
        stdout, stderr = stopped.communicate(timeout=30)
    finally:
        stopped.kill()
        stopped.wait()
    assert stopped.returncode == 130
    assert json.loads(stdout) == NOTHING | {"accepted": 2000}
    assert b"Run the same command again" in stderr
    assert b"Traceback" not in stderr

    assert run_import(founded, file) == NOTHING | {"accepted": 500, "duplicates": 2000}
    assert made.sums().items() <= founded.usage().items()


def test_progress_and_advice_stay_out_of_standard_output(sqlite_founded, tmp_path):
    url = sqlite_founded.store.url
    file = write(tmp_path, email(1), "{")
    arguments = ["import", str(file), "--organization", sqlite_founded.organization_id]
    told = run_cli(*arguments, database_url=url, expected=1)
    assert told.stdout == "0 accepted (0 late), 0 duplicates.\n"
    assert "Importing" in told.stderr
    assert "line 2: " in told.stderr
    assert "Mend them and run the same command again" in told.stderr


def test_blank_lines_and_crlf_are_no_events_but_count_as_lines(sqlite_founded, tmp_path):
    lines = ["\r\n", f"{email(1)}\r\n", "  \n", "\n", f"{email(2)}\r\n", email(3)]
    file = write(tmp_path, *(line.encode() for line in lines))
    assert run_import(sqlite_founded, file) == NOTHING | {"accepted": 3}
    file = write(tmp_path, *(line.encode() for line in [*lines, "\n\nbad"]))
    assert run_import(sqlite_founded, file, expected=1)["badLines"][0].startswith("line 8: the line is not JSON")


def test_a_byte_order_mark_that_windows_writes_is_no_fault(sqlite_founded, tmp_path):
    file = write(tmp_path, b"\xef\xbb\xbf", email(1), email(2))
    assert run_import(sqlite_founded, file) == NOTHING | {"accepted": 2}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (email(9, metadata={"long": "x" * 70_000}).encode() + b"\n", "is longer than 65,536 bytes"),
        (b'{"id": "e9\xff", "channel": "EMAIL"}\n', "not UTF-8"),
        (b'["e9"]\n', "the event"),
        (b'{"id": "e9", "channel": "EMAIL", "cost": 1}\n', "cost"),
        (b'{"id": "e9", "channel": "SMS", "cost": "0.0000000001"}\n', "cost"),
        (b'{"id": "e9", "channel": "EMAIL", "quantity": 0}\n', "quantity"),
        (b'{"id": "e9", "channel": "EMAIL", "quantity": NaN}\n', "NaN"),
        (b'{"id": "e9", "channel": "EMAIL", "occurredAt": "2099-01-01T00:00:00Z"}\n', "occurredAt"),
        (b'{"id": "e9", "channel": "EMAIL", "occurredAt": "2001-01-01T00:00:00Z"}\n', "occurredAt"),
        (b'{"id": "e1", "channel": "EMAIL", "quantity": 7}\n', "quantity"),
        (b'{"id": "e9", "channel": "EMAIL", "metadata": {"a": "\\ud800"}}\n', "surrogate"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_with_its_number_and_the_lines_after_it_are_still_read(
    import_here, line, told
):
    report = import_here(email(1).encode() + b"\n\n", line, b"{}\n")
    assert report["notStored"] == 3
    assert report["accepted"] == 0
    numbers = [said.partition(":")[0] for said in report["badLines"]]
    assert set(numbers) <= {"line 3", "line 4"}
    if "line 3" not in numbers:
        # Found only once the batch has the right form.
        report = import_here(email(1).encode() + b"\n\n", line)
    assert told in next(said for said in report["badLines"] if said.startswith("line 3: "))


def test_hundreds_of_bad_lines_are_told_in_a_hundred_and_a_count(import_here):
    done = import_here(*[b"bad\n"] * 250, as_json=False)
    assert len([line for line in done.stderr.splitlines() if line.startswith("line ")]) == 100
    assert "… and 150 more." in done.stderr


def test_a_single_line_that_was_not_stored_is_told_in_the_singular(import_here):
    assert "1 line was not stored" in import_here(b"bad\n", as_json=False).stderr


def test_an_event_of_a_closed_cycle_is_told_to_be_late(sqlite_founded, tmp_path):
    long_ago = (datetime.now(UTC) - timedelta(days=80)).isoformat()
    file = write(tmp_path, email(1, occurredAt=long_ago), email(2))
    assert run_import(sqlite_founded, file) == NOTHING | {"accepted": 2, "late": 1}
    assert sqlite_founded.usage()["messageUsage"] == 2


def test_an_empty_file_is_imported_as_nothing(import_here):
    assert import_here() == NOTHING


def test_an_unknown_organization_or_a_missing_file_is_told_before_anything_is_read(sqlite_founded, tmp_path):
    url = sqlite_founded.store.url
    file = write(tmp_path, email(1))
    unknown = run_cli("import", str(file), "--organization", "org_nobody", database_url=url, expected=1)
    assert "There is no organization 'org_nobody'.\nList the organizations with" in unknown.stderr
    missing = run_cli("import", "nowhere.ndjson", "--organization", "org_nobody", database_url=url, expected=2)
    assert "'nowhere.ndjson': No such file or directory" in missing.stderr
    assert missing.stdout == unknown.stdout == ""
