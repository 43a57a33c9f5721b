"""A database that makes writers wait."""

import sqlite3
import time
from contextlib import closing, contextmanager

import psycopg


@contextmanager
def writing_held(store):
    """Let nobody write until the block ends, as a long transaction of another program would; whoever reads may."""
    if store.is_sqlite:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
    else:
        with psycopg.connect(store.url) as connection:
            connection.execute("LOCK TABLE organizations, events IN EXCLUSIVE MODE")
            yield
            connection.rollback()


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
