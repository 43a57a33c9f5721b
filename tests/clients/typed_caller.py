"""A server whose callers send with the generated Python client what they send with an HTTP client elsewhere."""

import datetime
import re
import typing
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from urllib.parse import parse_qsl

from sendmeter.contract import contract
from tests.live import LiveServer

DAYS = {"startDate", "endDate"}


class TypedServer(LiveServer):
    """A server to whose callers an answer is a `Response` of the generated client."""

    @classmethod
    def of(cls, server):
        return cls(**vars(server))

    def client(self, token=None):
        made = TypedCaller(self.url, token)
        self.clients.append(made)
        return made


@dataclass
class TypedCaller:
    """A caller with a key."""

    url: str
    token: str | None
    opened: list = field(default_factory=list)

    def request(self, method, path, *, json=None, **raw):
        path, _, query = path.partition("?")
        operation, names = operation_of(method, path)
        module = module_of(operation.operation_id)
        known, unknown = {}, {}
        for name, text in parse_qsl(query):
            if name in operation.parameters:
                known[snake(name)] = datetime.date.fromisoformat(text) if name in DAYS else text
            else:
                unknown[name] = text
        client = self._client(unknown)
        if raw:
            # What cannot be said in types is sent without them; the answer is read by the generated function.
            answer = client.get_httpx_client().request(method, path, **raw)
            return module._build_response(client=client, response=answer)
        if json is not None:
            known["body"] = body_of(typing.get_type_hints(module.sync_detailed)["body"], json)
        return module.sync_detailed(*names, client=client, **known)

    def record(self, *events):
        return self.request("POST", "/organization/usage/events", json={"events": list(events)})

    def close(self):
        for client in self.opened:
            client.get_httpx_client().close()

    def _client(self, parameters):
        from sendmeter_client import AuthenticatedClient, Client

        # There is no TLS on loopback, and to load the certificates takes longer than the request.
        options = {"raise_on_unexpected_status": True, "httpx_args": {"params": parameters}, "verify_ssl": False}
        made = AuthenticatedClient(self.url, self.token, **options) if self.token else Client(self.url, **options)
        self.opened.append(made)
        return made


def operation_of(method, path):
    """Find the operation of a path, and what stands for the names in it."""
    for operation in contract().operations.values():
        found = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", operation.path), path)
        if found and operation.method == method:
            return operation, found.groups()
    raise AssertionError(f"{method} {path} is no operation")


def module_of(operation_id):
    """Return the generated functions of an operation: those of `usage.get` are in `api/usage/usage_get.py`."""
    return import_module(f"sendmeter_client.api.{operation_id.partition('.')[0]}.{operation_id.replace('.', '_')}")


def snake(name):
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def body_of(kinds, json):
    """Make the typed body that says the same; `kinds` is the type of the function's parameter."""
    for kind in typing.get_args(kinds) or (kinds,):
        if hasattr(kind, "from_dict"):
            with suppress(KeyError, TypeError):
                made = kind.from_dict(json)
                if made.to_dict() == json:
                    return made
    raise AssertionError(f"no body of {kinds} says {json}")
