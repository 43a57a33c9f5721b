"""How the URL of a database is read."""

from pathlib import Path
from urllib.parse import unquote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict


def is_sqlite(url: str) -> bool:
    """Return whether a URL, or the path of a file, is to be read as SQLite's."""
    return not url.startswith(("postgresql://", "postgres://"))


def postgresql_url(url: str) -> str:
    """Check a URL of PostgreSQL.

    Raises ValueError if it is none, without a word of it: it may have a password.
    """
    url = url.replace("postgres://", "postgresql://", 1)
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError(
            "The URL of the database is none of PostgreSQL. Write postgresql://USER:PASSWORD@HOST/NAME, and write what "
            "is special in the password with a percent sign (% is %25, @ is %40, / is %2F)."
        ) from None
    return url


def sqlite_path(url: str) -> str:
    """Read `sqlite:///relative`, `sqlite:////absolute`, or the plain path of a file.

    Raises ValueError if the URL is of another kind.
    """
    if url.startswith(("postgresql:", "postgres:")):
        raise ValueError("The URL of the database is none of PostgreSQL. Write postgresql://USER:PASSWORD@HOST/NAME.")
    path = url
    if url.startswith("sqlite:"):
        if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
            raise ValueError(f"{url!r} names no file. Write sqlite:///FILE, or sqlite:////ABSOLUTE/FILE.")
        path = unquote(url.removeprefix("sqlite:///"))
    elif "://" in url:
        scheme = url.split("://", 1)[0]
        raise ValueError(f"{scheme}:// is no database that Sendmeter knows. Write sqlite:///FILE or postgresql://….")
    if path == ":memory:":
        raise ValueError("Sendmeter keeps its data in a file. Write sqlite:///FILE.")
    parent = Path(path).absolute().parent
    if not parent.is_dir():
        raise ValueError(f"There is no folder {parent} for the database. Make it, or name another file.")
    return path
