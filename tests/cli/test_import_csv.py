"""`sendmeter import` of CSV: the same events in cells."""

import csv
import json

import pytest

from tests.cli.files import events_of_today, rows, served_sums, stored_ids, sums
from tests.live import run_cli, run_json

NAMES = ["id", "channel", "quantity", "cost", "occurredAt", "source"]


def imported(shop, content, tmp_path, *options, **how):
    file = tmp_path / "events.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return run_json(
        "import", str(file), "--organization", shop["organizationId"], *options, database_url=shop["url"], **how
    )


def test_a_csv_file_adds_up_to_the_last_digit(shop, tmp_path):
    events = events_of_today(1_200)
    with (tmp_path / "events.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows(events)
    content = (tmp_path / "events.csv").read_bytes()
    assert imported(shop, content, tmp_path)["accepted"] == 1200
    assert imported(shop, content, tmp_path)["duplicates"] == 1200
    assert served_sums(shop, tmp_path) == sums(events)
    run_cli("verify", database_url=shop["url"])


def test_all_columns_are_kept_empty_cells_left_out_and_a_byte_order_mark_is_no_fault(shop, tmp_path):
    content = (
        "\ufeffid,channel,quantity,cost,provider,providerMessageId,metadata.country,metadata.note\r\n"
        's1,SMS,2,0.021800001,telnyx,abc-1,DE,"two, with a comma"\r\n'
        "\r\n"
        'e1,EMAIL,,,,,,"a ""quoted"" word"\r\n'
        "p1,PUSH,,,,,,\r\n"
    )
    assert imported(shop, content, tmp_path)["accepted"] == 3
    found = rows(
        shop["url"],
        "SELECT event_id, quantity, cost_nano_usd, provider, provider_message_id, metadata FROM events ORDER BY 1",
    )
    assert [(*row[:5], json.loads(row[5]) if row[5] else None) for row in found] == [
        ("e1", 1, None, None, None, {"note": 'a "quoted" word'}),
        ("p1", 1, None, None, None, None),
        ("s1", 2, 21_800_001, "telnyx", "abc-1", {"country": "DE", "note": "two, with a comma"}),
    ]


def test_wrong_cells_are_named_by_line_and_nothing_of_their_batch_is_stored(shop, tmp_path):
    content = (
        "id,channel,quantity,cost\n"
        "ok,EMAIL,1,\n"
        "few,EMAIL\n"
        "many,EMAIL,1,,more\n"
        "float,EMAIL,1.5,\n"
        "comma,SMS,1,0;01\n"
        "huge,EMAIL,99999999999999999999,\n"
        ",EMAIL,1,\n"
        "fax,FAX,1,\n"
    )
    report = imported(shop, content, tmp_path, expected=1)
    assert (report["accepted"], report["notStored"]) == (0, 8)
    told = {}
    for line in report["badLines"]:
        number, _, said = line.removeprefix("line ").partition(": ")
        told.setdefault(int(number), []).append(said)
    assert sorted(told) == [3, 4, 5, 6, 7, 8, 9]
    wrong = {3: "cells", 4: "cells", 5: "quantity", 6: "cost", 7: "quantity", 8: "id", 9: "channel"}
    for number, said in wrong.items():
        assert any(said in each for each in told[number]), told[number]
    assert stored_ids(shop["url"]) == set()


def test_a_bad_batch_does_not_keep_the_others_from_being_stored(shop, tmp_path):
    lines = ["id,channel", *(f"m-{number},EMAIL" for number in range(1, 2_501))]
    lines[1_500] = "m-1500,FAX"
    report = imported(shop, "\n".join(lines), tmp_path, expected=1)
    assert (report["accepted"], report["notStored"]) == (1500, 1000)
    assert [line.partition(":")[0] for line in report["badLines"]] == ["line 1501"]


@pytest.mark.parametrize("content", ["", "id,channel\n", "id,channel", "\ufeff", "\n\n"])
def test_a_file_without_events_imports_none(content, shop, run_here, tmp_path):
    (tmp_path / "events.csv").write_text(content)
    told = run_here("import", "events.csv", "--organization", shop["organizationId"])
    assert (told.exit_code, told.stdout) == (0, "0 accepted (0 late), 0 duplicates.\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("id,channel\nm-1,EMAIL\nm-2,EM\xffIL\nm-3,EMAIL\n".encode("latin-1"), 3),
        (b'id,channel\nm-1,EMAIL\nm-2,"EMAIL\nm-3,EMAIL\n', 3),
        (b'id,channel\nm-1,EMAIL\n"m-2"x,EMAIL\n', 3),
        (b"id,ch\xffannel\nm-1,EMAIL\n", 1),
    ],
    ids=["bytes that are not UTF-8", "a quote that does not end", "text after a quote", "a header that is not UTF-8"],
)
def test_a_file_that_is_no_csv_is_refused_naming_the_line(content, line, shop, tmp_path):
    report = imported(shop, content, tmp_path, expected=1)
    assert report["accepted"] == 0
    assert len(report["badLines"]) == 1
    assert report["badLines"][0].startswith(f"line {line}: ")
    assert stored_ids(shop["url"]) == set()


def test_bytes_that_are_not_utf_8_are_named_by_their_line_in_a_file_of_many_batches(shop, tmp_path):
    lines = [b"id,channel", *(b"m-%d,EMAIL" % number for number in range(1, 2_501))]
    lines[1_500] = b"m-1500,EM\xffIL"
    report = imported(shop, b"\n".join(lines), tmp_path, expected=1)
    assert report["badLines"][0].startswith("line 1501: ")


def test_an_unknown_column_is_named_once_for_its_lines_and_a_missing_one_too(shop, tmp_path):
    unknown = imported(shop, "id,channel,amount\nm-1,EMAIL,3\n", tmp_path, expected=1)
    assert unknown["badLines"] == ["line 2: amount is not known here"]
    missing = imported(shop, "id;channel\nm-1;EMAIL\n", tmp_path, expected=1)
    assert any("channel is missing" in line for line in missing["badLines"])


def test_a_column_that_stands_twice_is_refused_and_not_silently_the_last(shop, tmp_path):
    report = imported(shop, "id,channel,quantity,quantity\nm-1,EMAIL,3,5\n", tmp_path, expected=1)
    assert report["accepted"] == 0
    assert "quantity" in report["badLines"][0]


def test_the_name_of_a_csv_file_may_be_in_capitals(shop, tmp_path):
    file = tmp_path / "EVENTS.CSV"
    file.write_text("id,channel\nm-1,EMAIL\n")
    command = ("import", str(file), "--organization", shop["organizationId"])
    assert run_json(*command, database_url=shop["url"])["accepted"] == 1


def test_a_file_without_its_header_line_is_refused_rather_than_losing_its_first_event(shop, tmp_path):
    report = imported(shop, "m-1,EMAIL\nm-2,EMAIL\n", tmp_path, expected=1)
    assert report["accepted"] == 0
    assert report["badLines"]
