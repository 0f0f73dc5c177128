"""The watch over the embedded PostgreSQL: starts it again whenever it is gone. Run by the supervisor.

    python -m pipeline.platform.keeper HOME

PostgreSQL itself stays outside the supervisor, since commands use and start it without one. Stopping the keeper
leaves the server up; `undertow down` stops it last.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from pipeline.errors import ServerError
from pipeline.store.server import Server

CHECK_EVERY_S = 2.0  # Airflow's processes retry for longer than this and a recovery (1-4 s) together

log = logging.getLogger("keeper")


def keep(server: Server) -> None:
    """Watch for ever. A start that fails is logged and tried again: a full disk may be emptied."""
    while True:
        if not server.ready():
            log.warning("PostgreSQL is gone, starting it")
            try:
                server.start()
            except ServerError as error:
                log.error("%s", error)
        time.sleep(CHECK_EVERY_S)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    keep(Server(Path(sys.argv[1])))
