"""What an organization has, as its owner sees it and as the database has it; and requests that are compared."""

import json
import re

from sendmeter.contract import contract
from tests.contract.provoked_responses import REQUESTS

OPERATIONS = contract().operations
WITH_KEY = [name for name, operation in OPERATIONS.items() if not operation.public]
SCOPED = [name for name in WITH_KEY if OPERATIONS[name].scope]
WITH_BODY = [name for name, operation in OPERATIONS.items() if operation.bodies]
_OWN_TIMES = ("date", "x-tracking-id", "content-length")


def tables(store):
    """Name the tables that have rows of organizations."""
    return sorted(table for table in store.database.get_tables() if table != "schema_migration")


def rows(store):
    """Return all rows of all tables."""
    return store.read(
        lambda: {
            table: sorted(map(repr, store.execute(f"SELECT * FROM {table}").fetchall())) for table in tables(store)
        }
    )


def same_answer(answer, *names):
    """Write an answer so that two are equal where a caller can tell no difference but in the ids that it sent."""
    text = re.sub(r"trk_[0-9a-v]{26}", "TRACKING", answer.text)
    for name in names:
        text = text.replace(name, "ID")
    headers = tuple(sorted((name, value) for name, value in answer.headers.items() if name not in _OWN_TIMES))
    return answer.status_code, headers, text


def request_of(operation_id, names):
    """Return method, path and JSON of an operation's valid request, for a client of requests as bytes."""
    path, body = REQUESTS[operation_id]
    return OPERATIONS[operation_id].method, path.format(**names), body


def head(method, path, *headers, body=None):
    """Write a request with JSON as bytes, with just the headers that are given."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    host = [] if any(line.startswith("Host:") for line in headers) else ["Host: meter.test"]
    lines = [f"{method} {path} HTTP/1.1", *host, *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + content
