"""The desk inside Airflow's pages: mounted at /desk, protected by Airflow's own login, reached from its navigation.

Airflow loads plugins in every process and does not protect mounted applications: the desk is built at the first
request, and asks Airflow for the user itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin


@cache
def _desk() -> Any:
    from airflow.api_fastapi.core_api.security import get_user

    from pipeline.desk.app import create_app
    from pipeline.settings import load_settings
    from pipeline.store import server
    from pipeline.store.engine import create_engine

    settings = load_settings()
    return create_app(
        lambda: create_engine(server.database_url(settings), application="undertow-desk"),
        settings,
        mounted=True,
        user_provider=get_user,
    )


async def desk(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application that Airflow mounts."""
    await _desk()(scope, receive, send)


class DeskPlugin(AirflowPlugin):
    """A page of its own in the navigation, and the desk's addresses under /desk/."""

    name = "undertow_desk"
    fastapi_apps = [{"app": desk, "url_prefix": "/desk", "name": "Undertow desk"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Undertow desk",
            "href": "/desk/",
            "destination": "nav",
            "url_route": "undertow-desk",
            "category": "browse",
        }
    ]
