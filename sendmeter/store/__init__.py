"""The one place where data is kept: tables, their migrations, and one file of queries for each noun.

The only importer of peewee. Every statement of a request carries `organization_id = ?`, so that the same code runs on
SQLite, on PostgreSQL, and on PostgreSQL distributed by organization (docs/decisions/0003).
"""

from sendmeter.store.database import Store, outcome

__all__ = ["Store", "outcome"]
