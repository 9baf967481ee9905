"""Logging in and out, and API keys of one's own."""

from fastapi import APIRouter, Request, Response

from app.access import service
from app.access.models import ApiKey
from app.access.rules import Throttle
from app.access.schemas import ActorOut, KeyOut, LogIn, NewKey
from app.actor import Actor, Permission
from app.deps import SESSION_COOKIE, Credentials, CurrentActor, ServicesDep, Tx, require
from app.errors import NotSignedIn

router = APIRouter(prefix="/api", tags=["access"])
throttle = Throttle()


@router.get("/session")
def who(actor: CurrentActor) -> ActorOut:
    """Who asks, with what rights and where."""
    return ActorOut.of(actor)


@router.post("/session")
def log_in(given: LogIn, request: Request, response: Response, services: ServicesDep, tx: Tx) -> ActorOut:
    """Log in; the session is a cookie that scripts cannot read."""
    address = request.client.host if request.client else ""
    name = given.username.strip().lower()
    if (wait := throttle.wait_s(name, address)) > 0:
        raise NotSignedIn(
            f"尝试次数过多，请 {wait:.0f} 秒后再试 (too many tries: wait {wait:.0f} s)",
            retry_after_s=round(wait),
        )
    try:
        token, actor = service.log_in(tx, given.username, given.password, services.settings.session_hours)
    except NotSignedIn:
        throttle.failed(name, address)
        raise
    throttle.succeeded(name, address)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=services.settings.session_hours * 3600,
        httponly=True,
        samesite="strict",
        secure=services.settings.secure_cookies,
        path="/",
    )
    return ActorOut.of(actor)


@router.delete("/session", status_code=204)
def log_out(request: Request, response: Response, services: ServicesDep, tx: Tx) -> None:
    """Log out; the session ends on the server too."""
    if token := request.cookies.get(SESSION_COOKIE):
        service.log_out(tx, token)
        services.parts["identifier"].forget(Credentials(token, None))
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/keys")
def list_keys(tx: Tx, actor: Actor = require(Permission.READ)) -> list[KeyOut]:
    """One's own API keys, without their secrets."""
    return [_out(key) for key in service.keys_of(tx, actor.user_id or 0)]


@router.post("/keys", status_code=201)
def add_key(given: NewKey, tx: Tx, actor: Actor = require(Permission.READ)) -> KeyOut:
    """A new API key with the rights of this account; its text is shown this once."""
    key, text = service.add_key(tx, actor.user_id or 0, given.label, given.days)
    tx.refresh(key)
    return _out(key).model_copy(update={"key": text})


@router.delete("/keys/{key_id}", status_code=204)
def revoke_key(key_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> None:
    """Revoke a key; it stops working within seconds."""
    service.revoke_key(tx, actor.user_id or 0, key_id)


def _out(key: ApiKey) -> KeyOut:
    return KeyOut(
        id=key.id,
        label=key.label,
        prefix=key.prefix,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )
