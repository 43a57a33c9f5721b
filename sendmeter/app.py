"""The only wiring: from settings to an ASGI application."""

import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any

import flask

with warnings.catch_warnings():
    # Connexion 3.3 imports what its own dependencies call deprecated; nobody who runs a server can mend that.
    warnings.filterwarnings("ignore", "Using `httpx` with `starlette.testclient` is deprecated")
    warnings.filterwarnings("ignore", "jsonschema.* is deprecated", DeprecationWarning)
    from connexion.apps.flask import FlaskApp, FlaskOperation
    from connexion.middleware.lifespan import LifespanMiddleware
    from connexion.middleware.routing import RoutingMiddleware
    from connexion.resolver import Resolver

from sendmeter.contract import Contract, contract, handlers_package
from sendmeter.domain.instants import Clock
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services.polling import Poller
from sendmeter.services.vault import vault_of
from sendmeter.settings import Settings
from sendmeter.startup import configure_logging, open_store, utc_now
from sendmeter.store import Store
from sendmeter.web.boundary import Boundary
from sendmeter.web.bridge import Bridge
from sendmeter.web.documentation import Documentation
from sendmeter.web.server import ServerBridge
from sendmeter.web.validation import answering


def create_app(settings: Settings, *, store: Store | None = None, clock: Clock | None = None) -> FlaskApp:
    """Build the application of a server.

    Without a `clock`, requests arrive by the machine's, and holds are decided by the one that all servers of a store
    share.
    """
    configure_logging(settings)
    the_contract = contract()
    store = store or open_store(settings)
    outgoing = outgoing_of(settings)
    arrivals, decisions = clock or utc_now, clock or store.clock
    bridge = partial(
        ServerBridge, store=store, settings=settings, clock=arrivals, decision_clock=decisions, outgoing=outgoing
    )
    pages, resolve = Documentation(the_contract), partial(handler_of, the_contract)
    return assemble(the_contract, bridge, pages, resolve, beside=poller_of(settings, store, outgoing, arrivals))


def outgoing_of(settings: Settings) -> Outgoing:
    """Build the way out to providers."""
    return Outgoing(test_url=settings.test_provider_url or None, timeout_seconds=settings.provider_timeout_seconds)


def poller_of(settings: Settings, store: Store, outgoing: Outgoing, clock: Clock) -> Poller:
    """Build the worker that asks providers for prices."""
    return Poller(
        store,
        vault_of(settings.secrets_key),
        outgoing,
        clock,
        seconds=settings.provider_poll_seconds,
        per_second=settings.provider_requests_per_second,
        timeout_seconds=settings.provider_timeout_seconds,
    )


def assemble(
    the_contract: Contract,
    make_bridge: Callable[..., Bridge],
    pages: Documentation,
    resolve: Callable[[str], Callable[..., Any]],
    *,
    beside: AbstractContextManager[object] | None = None,
) -> FlaskApp:
    """Put the layers together: Boundary, connexion's routing, the bridge, Flask, handlers.

    `make_bridge` gets the WSGI application and the contract; `resolve` finds the function of an operationId; what goes
    on `beside` requests is entered when the server starts, and left before it ends.
    """

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:  # noqa: ANN401 - connexion's
        with beside or nullcontext():
            yield
        bridge.close()

    app = FlaskApp(
        "sendmeter",
        lifespan=lifespan,
        middlewares=[
            partial(Boundary, contract=the_contract, pages=pages),
            RoutingMiddleware,
            LifespanMiddleware,
        ],
        resolver=Resolver(resolve),
    )
    bridge = make_bridge(app.app.wsgi_app, contract=the_contract)
    # Connexion's own bridge stands here; it has no setting for another.
    app._middleware_app.asgi_app = bridge  # type: ignore[assignment]  # typed as the class that is replaced
    for base_path in the_contract.base_paths:
        app.add_api(the_contract.routes(), base_path=base_path, name=base_path or "root", pythonic_params=True)
    # Else connexion would do so at the first request, and a slip in the contract be found only there.
    app.middleware.app, app.middleware.middleware_stack = app.middleware._build_middleware_stack()
    # Connexion wraps each function anew at each call, and looks at its signature, to give it what the bridge has ready.
    views = app.app.view_functions
    views.update({endpoint: view._fn for endpoint, view in views.items() if isinstance(view, FlaskOperation)})
    return app


def handler_of(the_contract: Contract, operation_id: str) -> Callable[..., flask.Response]:
    """Find the function of an operation: `events.record` is `record` in `handlers/events.py`."""
    module, _, function = operation_id.rpartition(".")
    handler = getattr(import_module(f"{handlers_package()}.{module}"), function)
    return answering(the_contract.operations[operation_id], handler)
