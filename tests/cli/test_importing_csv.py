"""`sendmeter import` of CSV: cells are read as they stand, and what is no CSV is told with the line to look at."""

import csv
import io
from decimal import Decimal

import pytest

from tests.live import run_json

HEADER = ["id", "channel", "quantity", "cost", "provider", "occurredAt", "metadata.country", "metadata.a b"]


def as_csv(events, line_end="\r\n"):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(HEADER)
    for event in events:
        cells = event | {"metadata.country": event.get("metadata", {}).get("country")}
        if isinstance(event.get("cost"), float):
            cells["cost"] = format(Decimal(str(event["cost"])), "f")
        writer.writerow([cells.get(name, "") for name in HEADER])
    return text.getvalue()


def test_a_csv_file_adds_up_to_the_last_digit_and_is_the_same_as_its_events_in_ndjson(founded, traffic, tmp_path):
    made = traffic(1200)
    file = tmp_path / "events.csv"
    file.write_text(as_csv(made.events), newline="")
    arguments = ["--organization", founded.organization_id]
    report = run_json("import", str(file), *arguments, database_url=founded.store.url)
    assert (report["accepted"], report["badLines"]) == (1200, [])
    assert made.sums().items() <= founded.usage().items()
    same = run_json("import", "-", *arguments, stdin="\n".join(made.lines()), database_url=founded.store.url)
    assert (same["accepted"], same["duplicates"]) == (0, 1200)


def test_metadata_columns_become_metadata_and_empty_cells_are_left_out(import_csv, sqlite_founded):
    lines = [
        "id,channel,metadata.country,metadata.note",
        'a,EMAIL,DE,"one, ""two""\nthree"',
        "b,EMAIL,,",
        "c,EMAIL,FR,",
    ]
    # A line break is no printable character: the contract refuses it in metadata.
    assert import_csv("\n".join(lines))["badLines"][0].startswith("line 3: metadata/note")
    lines[1] = 'a,EMAIL,DE,"one, ""two"""'
    assert import_csv("\n".join(lines))["accepted"] == 3
    assert sqlite_founded.rows("SELECT event_id, metadata FROM events ORDER BY event_id") == [
        ("a", '{"country": "DE", "note": "one, \\"two\\""}'),
        ("b", None),
        ("c", '{"country": "FR"}'),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "id,channel\na,EMAIL\nb,PUSH\n",
        "id,channel\r\na,EMAIL\r\nb,PUSH",
        "\ufeffid,channel\r\na,EMAIL\r\n\r\nb,PUSH\r\n\r\n",
        'channel,id,cost\n"EMAIL","a",\n"PUSH","b",\n',
    ],
    ids=["plain", "crlf, no end", "byte order mark and blank lines", "quoted, in another order"],
)
def test_csv_is_read_as_spreadsheets_write_it(import_csv, text):
    report = import_csv(text)
    assert (report["accepted"], report["badLines"]) == (2, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,channel\na,EMAIL\nb\n", "line 3: has another number of cells than the header line"),
        ("id,channel\na,EMAIL\nb,EMAIL,7\n", "line 3: has another number of cells than the header line"),
        ("id,channel\na,EMAIL\nb,FAX\n", "line 3: channel"),
        ("id,channel,quantity\na,EMAIL,1\nb,EMAIL,2.5\n", "line 3: quantity"),
        ("id,channel,colour\na,EMAIL,\nb,EMAIL,red\n", "line 3: colour"),
        ("id,channel,cost\na,EMAIL,\nb,SMS,-1\n", "line 3: cost"),
        ('id,channel\na,EMAIL\n"b,EMAIL\n', "line 3: is not CSV"),
        (b"id,channel\na,EMAIL\nb\xff,EMAIL\n", "line 3: is not CSV in UTF-8"),
        ("id,channel\na,EMAIL\nb\0,EMAIL\n", "line 3: is not CSV"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_with_its_line_and_nothing_of_its_batch_is_stored(import_csv, text, told):
    report = import_csv(text)
    assert report["accepted"] == 0
    assert [line[: len(told)] for line in report["badLines"]] == [told]


def test_a_header_that_names_a_column_twice_is_refused_since_one_would_be_lost(import_csv):
    assert import_csv("id,channel,quantity,quantity\na,EMAIL,5,7\n")["accepted"] == 0


@pytest.mark.parametrize("text", ["", "id,channel\n", "id,channel"])
def test_a_csv_file_without_rows_is_imported_as_nothing(import_csv, text):
    report = import_csv(text)
    assert (report["accepted"], report["notStored"], report["badLines"]) == (0, 0, [])


def test_csv_without_a_header_or_with_semicolons_is_refused_rather_than_read_wrong(import_csv):
    assert import_csv("a,EMAIL\nb,EMAIL\n")["badLines"]
    assert import_csv("id;channel\na;EMAIL\n")["badLines"]
