"""Whether the desk serves, for whatever watches over it: open to everybody, and it says no more than that."""

from __future__ import annotations

import logging

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pipeline.desk.context import Ask
from pipeline.errors import UndertowError

log = logging.getLogger(__name__)
router = APIRouter()


@router.get("/health")
def health(ask: Ask) -> JSONResponse:
    """200 when the database answers, else 503; the reason goes to the log, since it names the database's address."""
    try:
        with ask.desk.reading() as connection:
            connection.exec_driver_sql("select 1")
    except UndertowError as error:
        log.warning("not healthy: %s", error)
        return JSONResponse({"database": "does not answer"}, status_code=503)
    return JSONResponse({"database": "answers"})
