"""What tests of every folder may ask for. A server is the process's own and begun only once."""

from tests.kit.servers import _postgres_server as _postgres_server
from tests.kit.servers import _redis_server as _redis_server
from tests.kit.servers import postgres as postgres
from tests.kit.servers import postgres_url as postgres_url
from tests.kit.servers import redis_server as redis_server
from tests.kit.servers import redis_url as redis_url
