"""What crosses the wire about accounts."""

from datetime import datetime

from pydantic import BaseModel, Field

from app.actor import Actor, Permission


class LogIn(BaseModel):
    username: str = Field(max_length=64)
    password: str = Field(max_length=1024)


class JurisdictionOut(BaseModel):
    lo: int
    hi: int
    basin: int | None
    nation: bool


class ActorOut(BaseModel):
    username: str
    display_name: str
    role: str
    audience: str
    permissions: list[str]
    jurisdiction: JurisdictionOut

    @classmethod
    def of(cls, actor: Actor) -> "ActorOut":
        j = actor.jurisdiction
        return cls(
            username=actor.username,
            display_name=actor.display_name or actor.username,
            role=str(actor.role),
            audience=actor.audience,
            permissions=[str(p) for p in Permission if actor.may(p)],
            jurisdiction=JurisdictionOut(lo=j.lo, hi=j.hi, basin=j.basin, nation=j.is_nation),
        )


class NewKey(BaseModel):
    label: str = Field(min_length=1, max_length=100)
    days: int | None = Field(None, ge=1, le=3650)


class KeyOut(BaseModel):
    id: int
    label: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    key: str | None = None
    """The whole key; given once, when it is made."""
