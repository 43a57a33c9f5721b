"""The command line: parse, call a service, print."""

from sendmeter.cli.main import main

__all__ = ["main"]
