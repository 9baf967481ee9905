"""Accounts, log-ins and keys: who asks."""

import hmac
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from app.access import rules
from app.access.models import ApiKey, LoginSession, User
from app.actor import PUBLIC, Actor, Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Credentials
from app.errors import Conflict, InvalidInput, NotFound, NotSignedIn

HASHER = PasswordHasher()
WRONG = "账号或口令不正确 (wrong name or password)"


def add_user(
    session: Session,
    username: str,
    password: str,
    role: Role,
    jurisdiction: Jurisdiction,
    display_name: str = "",
) -> User:
    """A new account. Raises Conflict if the name is taken, InvalidInput if name or password will not do."""
    name = username.strip().lower()
    if (
        not name.isascii()
        or not name.replace(".", "").replace("-", "").replace("_", "").isalnum()
        or len(name) < 2
    ):
        raise InvalidInput(
            "账号名应为2–64个小写字母、数字或 . - _ (a name has 2–64 lower-case letters, digits or . - _)",
            field="username",
            value=username,
        )
    if role is Role.PUBLIC:
        raise InvalidInput("public 不是账号角色 (public is no role of an account)", field="role", value=role)
    if session.scalar(select(User.id).where(User.username == name)):
        raise Conflict(f"账号 {name} 已存在 (the account {name} exists)", field="username", value=name)
    user = User(
        username=name,
        display_name=display_name,
        password_hash=HASHER.hash(rules.check_password(password)),
        role=str(role),
        scope_lo=jurisdiction.lo,
        scope_hi=jurisdiction.hi,
        scope_basin=jurisdiction.basin,
    )
    session.add(user)
    session.flush()
    return user


def find_user(session: Session, username: str) -> User:
    """Raises NotFound if there is no active account of that name."""
    user = session.scalar(select(User).where(User.username == username.strip().lower(), User.is_active))
    if user is None:
        raise NotFound(f"没有账号 {username} (no account {username})")
    return user


def set_password(session: Session, username: str, password: str) -> None:
    """A new password; every log-in of the account ends."""
    user = find_user(session, username)
    user.password_hash = HASHER.hash(rules.check_password(password))
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


def disable(session: Session, username: str) -> None:
    """The account stays on record, but nobody works under it any more."""
    user = find_user(session, username)
    user.is_active = False
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


@cache
def _nobody() -> str:
    """Checked when there is no such account, so that the answer takes as long and tells nothing."""
    return HASHER.hash("nobody has this password")


def log_in(session: Session, username: str, password: str, hours: int) -> tuple[str, Actor]:
    """The token of a new log-in, and the actor. Raises NotSignedIn, in the same words whatever was wrong."""
    nobody = _nobody()  # made by a process's first log-in, whoever tries it
    user = session.scalar(select(User).where(User.username == username.strip().lower(), User.is_active))
    try:
        HASHER.verify(user.password_hash if user else nobody, password)
    except (VerifyMismatchError, InvalidHashError):
        raise NotSignedIn(WRONG) from None
    if user is None:
        raise NotSignedIn(WRONG)
    token = rules.new_session_token()
    session.execute(delete(LoginSession).where(LoginSession.expires_at < datetime.now(UTC)))
    session.add(
        LoginSession(
            token_hash=rules.hashed(token),
            user_id=user.id,
            expires_at=datetime.now(UTC) + timedelta(hours=hours),
        )
    )
    return token, user.actor()


def log_out(session: Session, token: str) -> None:
    session.execute(delete(LoginSession).where(LoginSession.token_hash == rules.hashed(token)))


def add_key(session: Session, user_id: int, label: str, days: int | None = None) -> tuple[ApiKey, str]:
    """A new API key, and its text, which is shown this once."""
    prefix, text = rules.new_api_key()
    key = ApiKey(
        user_id=user_id,
        label=label,
        prefix=prefix,
        key_hash=rules.hashed(text),
        expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
    )
    session.add(key)
    session.flush()
    return key, text


def keys_of(session: Session, user_id: int) -> Sequence[ApiKey]:
    return session.scalars(
        select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)
    ).all()


def revoke_key(session: Session, user_id: int, key_id: int) -> None:
    """Raises NotFound if the account has no such key."""
    found = session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
        .returning(ApiKey.id)
    ).first()
    if found is None:
        raise NotFound("没有这个密钥 (no such key)")


def actor_of(session: Session, credentials: Credentials) -> Actor:
    """Who is behind the credentials. Raises NotSignedIn if an API key is wrong, ended or revoked."""
    now = datetime.now(UTC)
    if credentials.api_key:
        key = session.scalar(select(ApiKey).where(ApiKey.prefix == rules.prefix_of(credentials.api_key)))
        good = key and hmac.compare_digest(key.key_hash, rules.hashed(credentials.api_key))
        if (
            not key
            or not good
            or key.revoked_at
            or (key.expires_at and key.expires_at < now)
            or not key.user.is_active
        ):
            raise NotSignedIn("API 密钥无效或已失效 (the API key is wrong, ended or revoked)")
        if key.last_used_at is None or now - key.last_used_at > timedelta(hours=1):
            key.last_used_at = now
        return key.user.actor()
    if credentials.cookie:
        login = session.get(LoginSession, rules.hashed(credentials.cookie))
        # An ended log-in leaves the public: what needs an account then says so (app.deps.require).
        if login is not None and login.expires_at > now and login.user.is_active:
            return login.user.actor()
    return PUBLIC


class Identifier:
    """Remembers for some seconds who is behind which credentials, so that tiles need not ask each time."""

    KEEP_S = 5.0
    LIMIT = 10_000

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[Credentials, tuple[float, Actor]] = {}

    def remembered(self, credentials: Credentials) -> Actor | None:
        """The actor if asked for just now; does not touch the database."""
        if not (credentials.cookie or credentials.api_key):
            return PUBLIC
        kept = self._known.get(credentials)
        return kept[1] if kept and time.monotonic() - kept[0] < self.KEEP_S else None

    def __call__(self, credentials: Credentials) -> Actor:
        if (actor := self.remembered(credentials)) is not None:
            return actor
        with transaction(self._engine, system("identify")) as session:
            actor = actor_of(session, credentials)
        if len(self._known) >= self.LIMIT:
            self._known.clear()
        self._known[credentials] = (time.monotonic(), actor)
        return actor

    def forget(self, credentials: Credentials) -> None:
        self._known.pop(credentials, None)
