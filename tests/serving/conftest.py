"""The servers and databases of the tests of `web` and `cli`: what serves them is tested here."""

from tests.cli.conftest import _template, any_shop, postgres_shop, shop
from tests.web.conftest import caller, shared_server

__all__ = ["_template", "any_shop", "caller", "postgres_shop", "shared_server", "shop"]
