"""`sendmeter import` of NDJSON: exact sums, counted once, bad lines named, batches whole or not at all."""

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.files import events_of_today, lines_of, rows, served_sums, stored_ids, sums
from tests.cli.processes import wait_until
from tests.live import SENDMETER, run_cli, run_json


def imported(shop, file, *options, **how):
    return run_json(
        "import", str(file), "--organization", shop["organizationId"], *options, database_url=shop["url"], **how
    )


def emails(*numbers):
    return [{"id": f"m-{number}", "channel": "EMAIL"} for number in numbers]


def test_a_file_imported_twice_is_counted_once_and_to_the_last_digit(any_shop, tmp_path):
    events = events_of_today(2_500)
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(events))
    nothing_wrong = {"late": 0, "notStored": 0, "badLines": []}
    assert imported(any_shop, file) == {"accepted": 2500, "duplicates": 0, **nothing_wrong}
    assert imported(any_shop, file) == {"accepted": 0, "duplicates": 2500, **nothing_wrong}
    assert served_sums(any_shop, tmp_path) == sums(events)
    assert run_json("verify", database_url=any_shop["url"]) == {"organizations": 1, "differences": {}}


def test_two_imports_of_one_file_at_once_count_it_once(any_shop, tmp_path):
    events = events_of_today(3_000)
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(events))
    with started(any_shop, file) as one, started(any_shop, file) as two:
        reports = [json.loads(each.communicate(timeout=60)[0]) for each in (one, two)]
    assert sum(report["accepted"] for report in reports) == 3000
    assert sum(report["duplicates"] for report in reports) == 3000
    assert served_sums(any_shop, tmp_path) == sums(events)
    run_cli("verify", database_url=any_shop["url"])


def test_bad_lines_are_named_by_number_and_only_their_batch_is_not_stored(any_shop, tmp_path):
    lines = [json.dumps(event).encode() for event in emails(*range(1, 3_001))]
    wrong = {
        1_005: (b'{"id": "x", "channel": "EMAIL"', "JSON"),
        1_006: (b'{"id": "x", "channel": "FAX"}', "channel is not one of"),
        1_007: (b'{"id": "x", "channel": "EMAIL", "quantity": 0}', "quantity is less than 1"),
        1_008: (b'{"id": "x", "channel": "EMAIL", "metadata": {"x": "' + b"y" * 66_000 + b'"}}', "longer than 65,536"),
        1_009: (b'{"id": "x\xff", "channel": "EMAIL"}', "not UTF-8"),
        1_010: (b'{"id": "x", "channel": "SMS", "cost": "0.0000000001"}', "cost"),
        1_011: (b'{"channel": "EMAIL"}', "id is missing"),
        1_012: (b'["not", "an", "event"]', "object"),
        1_013: (b'{"id": "x", "channel": "SMS", "cost": NaN}', "NaN"),
        1_014: (b'{"id": "x", "channel": "EMAIL", "metadata": {"a": "\\u0000"}}', "NUL"),
        1_015: (b'{"id": "x", "channel": "EMAIL", "cost": "1"}', "cost is not known here"),
        1_016: (b"[" * 10_000, "JSON"),
        1_017: (b'{"id": "x", "channel": "EMAIL", "occurredAt": "2026-02-30T00:00:00Z"}', "occurredAt"),
        1_999: (b"null", "object"),
    }
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(wrong[n][0] if n in wrong else line for n, line in enumerate(lines, 1)))
    done = run_cli(
        *("import", str(file), "--organization", any_shop["organizationId"], "--json"),
        database_url=any_shop["url"],
        expected=1,
    )
    report = json.loads(done.stdout)
    assert (report["accepted"], report["notStored"]) == (2000, 1000)
    told = dict(line.removeprefix("line ").split(": ", 1) for line in report["badLines"])
    assert {int(number) for number in told} == set(wrong)
    for number, (_, said) in wrong.items():
        if number != 1_016:
            assert said in told[str(number)], told[str(number)]
        assert f"line {number}: " in done.stderr
    assert "1,000 lines were not stored" in done.stderr
    assert stored_ids(any_shop["url"]) == {f"m-{number}" for number in (*range(1, 1_001), *range(2_001, 3_001))}
    file.write_bytes(b"\n".join(lines))
    assert imported(any_shop, file)["accepted"] == 1000
    run_cli("verify", database_url=any_shop["url"])


def test_events_that_contradict_what_is_known_or_each_other_are_named_by_their_lines(shop, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(emails(1)))
    imported(shop, file)
    events = [*emails(2, 3), {"id": "m-1", "channel": "PUSH"}, {"id": "m-2", "channel": "SMS"}]
    events.append({"id": "m-9", "channel": "EMAIL", "occurredAt": "2020-01-01T00:00:00Z"})
    file.write_text(lines_of(events[:4]))
    conflict = imported(shop, file, expected=1)
    assert [line.partition(":")[0] for line in conflict["badLines"]] == ["line 3", "line 4"]
    assert "channel" in conflict["badLines"][0]
    file.write_text("\n" + lines_of(events[4:]))
    [too_old] = imported(shop, file, expected=1)["badLines"]
    assert too_old == "line 2: occurredAt is more than 400 days ago"
    assert stored_ids(shop["url"]) == {"m-1"}


def test_every_bad_line_is_named_where_a_whole_file_is_wrong(shop, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of([{"id": f"m-{number}", "channel": "FAX"} for number in range(250)]))
    report = imported(shop, file, expected=1)
    assert report["notStored"] == 250
    assert {line.partition(":")[0] for line in report["badLines"]} == {f"line {number}" for number in range(1, 251)}


def test_blank_lines_and_carriage_returns_are_no_events(shop, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\r\n  \n" + lines_of(emails(1, 2), "\r\n").encode() + b"\n\t\n" + lines_of(emails(3)).encode())
    assert imported(shop, file)["accepted"] == 3
    file.write_bytes(b"\n \r\n")
    assert imported(shop, file)["accepted"] == 0
    file.write_bytes(b"")
    assert imported(shop, file) == {"accepted": 0, "duplicates": 0, "late": 0, "notStored": 0, "badLines": []}


def test_a_byte_order_mark_as_windows_writes_it_is_no_fault(shop, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\xef\xbb\xbf" + lines_of(emails(1, 2)).encode())
    assert imported(shop, file)["accepted"] == 2


def test_standard_input_is_read_where_the_file_is_a_dash(shop):
    how = {"database_url": shop["url"]}
    command = ("import", "-", "--organization", shop["organizationId"])
    assert run_cli(*command, stdin=lines_of(emails(1, 2)), **how).stdout == "2 accepted (0 late), 0 duplicates.\n"
    assert run_json(*command, "--format", "csv", stdin="id,channel\nm-3,PUSH\n", **how)["accepted"] == 1
    assert rows(shop["url"], "SELECT channel, count(*) FROM events GROUP BY channel ORDER BY channel") == [
        ("EMAIL", 2),
        ("PUSH", 1),
    ]


def test_late_events_are_told_as_such(shop, tmp_path):
    file = tmp_path / "events.ndjson"
    started_at = shop["startsAt"]
    file.write_text(lines_of([{"id": "old", "channel": "EMAIL", "occurredAt": started_at}]))
    report = imported(shop, file)
    assert (report["accepted"], report["late"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["events.ndjson", "--organization", "org_nobody"], 1, "sendmeter organizations list"),
        (["missing.ndjson", "--organization", "ORG"], 2, "missing.ndjson"),
        ([".", "--organization", "ORG"], 2, "directory"),
        (["events.ndjson"], 2, "--organization"),
    ],
)
def test_what_cannot_be_imported_is_refused_before_anything_is_read(arguments, code, said, shop, tmp_path):
    (tmp_path / "events.ndjson").write_text(lines_of(emails(1)))
    arguments = [shop["organizationId"] if each == "ORG" else each for each in arguments]
    told = run_cli("import", *arguments, database_url=shop["url"], cwd=tmp_path, expected=code)
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    assert said in told.stderr
    assert stored_ids(shop["url"]) == set()


def test_what_is_said_for_people_counts_and_stays_out_of_standard_output(shop, run_here, tmp_path):
    (tmp_path / "events.ndjson").write_text("bad\n" * 250)
    told = run_here("import", "events.ndjson", "--organization", shop["organizationId"])
    assert (told.exit_code, told.stdout) == (1, "0 accepted (0 late), 0 duplicates.\n")
    assert len([line for line in told.stderr.splitlines() if line.startswith("line ")]) == 100
    assert "… and 150 more." in told.stderr
    (tmp_path / "events.ndjson").write_text("bad\n")
    told = run_here("import", "events.ndjson", "--organization", shop["organizationId"])
    assert "1 line was not stored" in told.stderr


@contextmanager
def started(shop, file):
    """Start an import; its standard input, output and errors are pipes."""
    popen = subprocess.Popen(
        [SENDMETER, "import", file, "--organization", shop["organizationId"], "--json"],
        env={**os.environ, "SENDMETER_DATABASE_URL": shop["url"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.communicate()


@pytest.mark.parametrize(
    ("stop", "kind"),
    [(signal.SIGINT, "shop"), (signal.SIGINT, "postgres_shop"), (signal.SIGTERM, "shop"), (signal.SIGKILL, "shop")],
)
def test_an_import_that_is_stopped_goes_on_when_it_is_run_again(stop, kind, request, tmp_path):
    any_shop = request.getfixturevalue(kind)
    events = events_of_today(4_000)
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(events))
    with started(any_shop, "-") as popen:
        popen.stdin.write(lines_of(events[:1_500]).encode())
        popen.stdin.flush()
        deadline = time.monotonic() + 30
        while len(stored_ids(any_shop["url"])) < 1_000:
            assert popen.poll() is None, popen.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # What is stored may not be in its report yet: it is once it waits for more of its input.
        wait_until(lambda: Path(f"/proc/{popen.pid}/syscall").read_text().startswith("0 0x0 "))
        popen.send_signal(stop)
        popen.wait(30)
        output, errors = popen.stdout.read(), popen.stderr.read().decode()
    assert len(stored_ids(any_shop["url"])) == 1_000, "half a batch was stored"
    if stop == signal.SIGINT:
        assert popen.returncode == 130
        assert json.loads(output)["accepted"] == 1_000
        assert "Run the same command again" in errors
        assert "Traceback" not in errors
    report = imported(any_shop, file)
    assert (report["accepted"], report["duplicates"]) == (3_000, 1_000)
    assert served_sums(any_shop, tmp_path) == sums(events)
    run_cli("verify", database_url=any_shop["url"])
