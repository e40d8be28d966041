"""A provider that notes what reaches it, and a gateway in front of it as delivered."""

from tests.server.conftest import client as client
from tests.server.conftest import gateway as gateway
from tests.server.conftest import provider as provider
