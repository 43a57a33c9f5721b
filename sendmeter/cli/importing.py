"""`sendmeter import`: events from a file."""

import codecs
import csv
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import IO, Any

import click

from sendmeter.cli.options import (
    database_option,
    json_option,
    opened,
    organization_option,
    print_json,
    whoever_runs_this,
)
from sendmeter.contract import contract
from sendmeter.domain.events import BATCH_LIMIT, Batch, UsageEvent
from sendmeter.errors import Conflict, Fault, InvalidRequest
from sendmeter.schemas import Validator
from sendmeter.services import events, organizations
from sendmeter.services.events import Recorded
from sendmeter.startup import utc_now
from sendmeter.web.body import read_json

LINE_LIMIT = 65_536
SHOWN_LINES = 100
Recording = Callable[[Batch, datetime], Recorded]


@dataclass
class Line:
    """One line of the file: its number, how many bytes were read up to its end, and its event or what is wrong."""

    number: int
    position: int
    value: Any = None
    fault: str | None = None


@dataclass
class Report:
    """What became of a file."""

    accepted: int = 0
    duplicates: int = 0
    late: int = 0
    not_stored: int = 0
    bad_lines: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Write the report for scripts."""
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "late": self.late,
            "notStored": self.not_stored,
            "badLines": self.bad_lines,
        }


@click.command("import")
@click.argument("file", type=click.File("rb"))
@organization_option
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["ndjson", "csv"]),
    help="[default: csv for a FILE that ends in .csv, else ndjson]",
)
@click.option(
    "--backfill",
    is_flag=True,
    help="Book each event into its own billing cycle, be it closed, back to the organization's start.",
)
@database_option
@json_option
def import_events(
    file: IO[bytes], organization: str, file_format: str | None, backfill: bool, database: str | None, as_json: bool
) -> None:
    """Record the events in FILE (- for standard input).

    NDJSON has an event in each line, as the body of POST /organization/usage/events has them. CSV has a header line
    with their names (id, channel, quantity, cost, provider, providerMessageId, occurredAt, source, and metadata.NAME);
    an empty cell is left out.

    Events are stored in batches of 1,000, each whole or not at all. Run it again after an interruption, or after
    mending bad lines: what was stored is not counted twice. Exits 1 where lines are bad, naming each.

    An event of a billing cycle that is closed is booked into the running one, marked late, and one that is older than
    400 days is refused. With --backfill each is booked where it belongs, which changes what closed cycles counted, and
    events older than 400 days are taken, back to the organization's start. Each batch is written to the audit log.
    """
    is_csv = file_format == "csv" or (file_format is None and file.name.lower().endswith(".csv"))
    report = Report()
    with opened(database) as store:
        number = organizations.get(store, organization).number
        backfilled_by = whoever_runs_this() if backfill else None
        recording = partial(events.record, store, number, backfilled_by=backfilled_by)
        try:
            _import(recording, _csv_lines(file) if is_csv else _json_lines(file), _size(file), report)
        except KeyboardInterrupt:
            click.echo("\nStopped. Run the same command again to go on; nothing is counted twice.", err=True)
            _print(report, as_json)
            sys.exit(130)
    _print(report, as_json)
    if report.bad_lines:
        sys.exit(1)


def _import(recording: Recording, lines: Iterator[Line], size: int, report: Report) -> None:
    position = 0
    with click.progressbar(length=size, label="Importing", file=sys.stderr) as bar:
        batch: list[Line] = []
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH_LIMIT:
                _record(recording, batch, report)
                bar.update(batch[-1].position - position)
                position, batch = batch[-1].position, []
        if batch:
            _record(recording, batch, report)
        bar.update(size - position)


def _record(recording: Recording, batch: list[Line], report: Report) -> None:
    """Record a batch, or note what is wrong with it."""
    bad = [f"line {line.number}: {line.fault}" for line in batch if line.fault]
    good = [line for line in batch if not line.fault]
    if not _contract("EventBatch").accepts({"events": [line.value for line in good]}):
        # Each line by itself, so that every bad one is named.
        bad += [_fault_line(line, fault) for line in good for fault in _contract("UsageEvent").faults(line.value)]
    if not bad:
        try:
            events_of_batch = [(f"line {line.number}", UsageEvent.from_json(line.value)) for line in good]
            recorded = recording(events_of_batch, utc_now())
        except (InvalidRequest, Conflict) as refusal:
            bad = [f"{fault.pointer}: {fault.message}" for fault in refusal.faults] or [
                f"lines {batch[0].number} to {batch[-1].number}: {refusal.message}"
            ]
        else:
            report.accepted += recorded.accepted
            report.duplicates += recorded.duplicates
            report.late += recorded.late
            return
    report.not_stored += len(batch)
    report.bad_lines += bad


@lru_cache
def _contract(schema: str) -> Validator:
    return contract().schemas.component(schema)


def _fault_line(line: Line, fault: Fault) -> str:
    return f"line {line.number}: {fault.pointer.removeprefix('/') or 'the event'} {fault.message}"


def _json_lines(file: IO[bytes]) -> Iterator[Line]:
    number = position = 0
    while text := file.readline(LINE_LIMIT + 1):
        number += 1
        position += len(text)
        if number == 1:
            text = text.removeprefix(codecs.BOM_UTF8)
        if len(text) > LINE_LIMIT:
            while text and not text.endswith(b"\n"):
                text = file.readline(LINE_LIMIT)
                position += len(text)
            yield Line(number, position, fault=f"is longer than {LINE_LIMIT:,} bytes")
        elif text.strip():
            try:
                yield Line(number, position, value=read_json(text))
            except InvalidRequest as refusal:
                yield Line(number, position, fault=refusal.faults[0].message.replace("the body", "the line"))


def _csv_lines(file: IO[bytes]) -> Iterator[Line]:
    texts = _Texts(file)
    reader = csv.reader(texts, strict=True)
    names: list[str] | None = None
    while True:
        start = texts.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            yield Line(start, texts.position, fault=f"is not CSV in UTF-8 ({error}); nothing after it was read")
            return
        if names is None:
            names = cells
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                yield Line(1, texts.position, fault=f"names {', '.join(twice)} twice; nothing after it was read")
                return
        elif cells and len(cells) != len(names):
            yield Line(start, texts.position, fault="has another number of cells than the header line")
        elif cells:
            yield Line(start, texts.position, value=_from_cells(dict(zip(names, cells, strict=True))))


class _Texts:
    """The lines of a file as text, with the number and the end of the one that was read last."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.number = 0
        self.position = 0

    def __iter__(self) -> "_Texts":
        return self

    def __next__(self) -> str:
        line = self._file.readline(LINE_LIMIT)
        if not line:
            raise StopIteration
        self.number += 1
        self.position += len(line)
        return line.removeprefix(codecs.BOM_UTF8 if self.number == 1 else b"").decode()


def _from_cells(row: dict[str, str]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, cell in row.items():
        if cell == "":
            continue
        if name.startswith("metadata."):
            value.setdefault("metadata", {})[name.removeprefix("metadata.")] = cell
        elif name == "quantity" and cell.isascii() and cell.isdigit() and len(cell) < 19:
            value[name] = int(cell)
        else:
            value[name] = cell
    return value


def _size(file: IO[bytes]) -> int:
    """Return the file's size, for the progress bar; 0 where it is a stream."""
    try:
        return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return 0


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(f"{report.accepted:,} accepted ({report.late:,} late), {report.duplicates:,} duplicates.")
    for line in report.bad_lines[:SHOWN_LINES]:
        click.echo(line, err=True)
    if len(report.bad_lines) > SHOWN_LINES:
        click.echo(f"… and {len(report.bad_lines) - SHOWN_LINES:,} more.", err=True)
    if report.bad_lines:
        count = "1 line was" if report.not_stored == 1 else f"{report.not_stored:,} lines were"
        click.echo(
            f"{count} not stored, with bad lines in the same batch of {BATCH_LIMIT:,}. Mend them and run the same "
            "command again; nothing is counted twice.",
            err=True,
        )
