"""Login and logout of a desk that is reached from beyond this machine."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from pipeline.desk.context import Ask, Asked, Plain, checks_form
from pipeline.desk.sessions import LONGEST, is_password, new_session, user_session
from pipeline.store.desk_access import audit, end_session, find_user

router = APIRouter()

# Characters of the page to go to after a login: a search of 200 letters of any script, written for an address.
LONGEST_NEXT = 2500


@router.get("/login")
def show(ask: Ask, next: str = "/") -> Response:
    return _form(ask, next)


@router.post("/login", dependencies=[Depends(checks_form)])
def login(
    ask: Ask,
    request: Request,
    name: Annotated[Plain, Form(max_length=100)],
    password: Annotated[Plain, Form(max_length=1000)],
    next: Annotated[str, Form(max_length=LONGEST_NEXT)] = "/",
) -> Response:
    address = request.client.host if request.client else "?"
    keys = (f"name {name}", f"address {address}")
    wait = ask.desk.attempts.wait_s(keys, ask.as_of)
    if wait:
        response = _form(ask, next, 429, f"Too many attempts; try again in {wait // 60 + 1} min.")
        response.headers["Retry-After"] = str(wait)
        return response
    with ask.desk.changing() as connection:
        user = find_user(connection, name)
        good = is_password(password, user["password_hash"] if user else None)
        who = name if good else "?"
        audit(
            connection, who=who, action="login" if good else "failed login", target=address, as_of=ask.as_of
        )
    if user is None or not good:
        ask.desk.attempts.note_failure(keys, ask.as_of)
        return _form(ask, next, 401, "That name and password do not belong together.")
    ask.desk.attempts.forget(keys[0])
    # a new id: whoever knew the old one gains nothing
    request.state.session = user_session(name, user["password_hash"], ask.desk.key, ask.as_of)
    return ask.go(_inside(next))


@router.post("/logout", dependencies=[Depends(checks_form)])
def logout(ask: Ask, request: Request) -> Response:
    if ask.session.user is not None:  # noted, since a copy of the cookie would still be good
        with ask.desk.changing() as connection:
            end_session(connection, ask.session.id, as_of=ask.as_of, forget_before=ask.as_of - LONGEST)
    request.state.session = new_session()
    return ask.go("/login")


def _form(ask: Asked, next: str, status: int = 200, problem: str = "") -> Response:
    return ask.page("login.html", status=status, next=_inside(next), problem=problem)


def _inside(path: str) -> str:
    """Where to go after the login: a page of the desk and nothing else."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain else "/"
