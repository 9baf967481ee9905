"""Settings: `SHUITU_*` environment variables over one TOML file (`SHUITU_CONFIG`) over defaults.

Built once, in `app.main`, `app.cli` or `app.worker`, and handed down.
"""

import os
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

ROOT = Path(__file__).resolve().parent.parent


def _data_dir() -> Path:
    """`.data` in the installation. As root, the database's server runs as another user, who must be able to walk
    there: where the installation lies in a closed folder such as /root, it is /var/lib/shuitu."""
    closed = any(not folder.stat().st_mode & 0o001 for folder in (ROOT, *ROOT.parents))
    return Path("/var/lib/shuitu") if os.geteuid() == 0 and closed else ROOT / ".data"


class Settings(BaseSettings):
    """Every setting, with its default and what it is for."""

    model_config = SettingsConfigDict(env_prefix="SHUITU_", extra="forbid", frozen=True)

    config: Path | None = Field(None, description="TOML file with these settings (lower-case names)")
    data_dir: Path = Field(
        default_factory=_data_dir,
        description="where the private database, uploads, imagery and archives live",
    )
    database_url: str | None = Field(
        None, description="libpq URL of a PostGIS database of your own; empty starts a private one"
    )
    database_owner_url: str | None = Field(
        None, description="URL for migrations where the login of database_url may not become shuitu_owner"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    processes: int = Field(2, ge=1, le=64, description="web server processes")
    frontend_dir: Path = Field(ROOT / "frontend" / "dist", description="built front end")
    log_format: str = Field("console", pattern="^(console|json)$", description="console or json")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="least level written")
    session_hours: int = Field(12, ge=1, le=720, description="how long a log-in lasts")
    secure_cookies: bool = Field(False, description="set on HTTPS: cookies are then marked Secure")
    upload_limit_mb: int = Field(2048, ge=1, description="largest upload")
    exchange_limit_mb: int = Field(32, ge=1, description="largest batch that a system may push")
    exchange_items: int = Field(5000, ge=1, description="most items of a pushed batch")
    exchange_per_minute: int = Field(
        240, ge=1, description="requests of exchange a minute, of one account to one process"
    )
    document_limit_mb: int = Field(25, ge=1, description="largest photo or scan")
    document_megapixels: int = Field(64, ge=1, description="most pixels of a photo or scan, in millions")
    public_accuracy_bits: int = Field(
        12,
        ge=0,
        le=20,
        description="low bits hidden from public positions; 12 is a grid of 76 m at the equator, 64 m at 33°N",
    )
    tile_cache_mb: int = Field(
        2048, ge=0, description="space for tiles kept in cache_dir, shared by the processes; 0 keeps none"
    )
    link_confirm_at: float = Field(
        0.97,
        ge=0,
        le=1,
        description="linkage: pairs at least this probable, without a contradiction, are confirmed by rule",
    )
    link_doubt_at: float = Field(
        0.2,
        ge=0,
        le=1,
        description="linkage: pairs at least this probable are left to a person; below it an intake has no permit (有口无证)",
    )
    dask_scheduler: str | None = Field(
        None,
        description="address of a Dask scheduler (`tcp://host:8786`) whose workers carry detection runs out; they must see the scenes and the data folder under the same paths. Empty: processes of this machine",
    )
    detection_workers: int = Field(
        0, ge=0, le=256, description="processes of this machine that one detection run uses; 0: one a core"
    )
    tianditu_key: str | None = Field(None, description="your 天地图 browser key; adds its base maps")
    map_review_number: str | None = Field(None, description="审图号 shown on the map")
    public_url: str | None = Field(
        None, description="address under which clients reach the service, if a proxy hides it"
    )
    archives_url: str | None = Field(
        None,
        pattern=r"^s3://[^/]+(/.*)?$",
        description="`s3://bucket/prefix` where archives are kept and served from, instead of the data folder; endpoint, region and keys come from `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`; `AWS_ALLOW_HTTP=true` where the endpoint is not HTTPS",
    )
    callback_hosts: str | None = Field(
        None,
        description="hosts that jobs may call back, `host` or `host:port`, separated by commas; without any, no callbacks",
    )
    basemap: Path | None = Field(None, description="PMTiles base map of your own")
    review_sample_rate: float = Field(
        0.01,
        ge=0.01,
        le=1,
        description="share of a province's outcomes that the basin agency checks 抽查复核比例",
    )
    review_sample_tolerance: float = Field(
        0.05, ge=0, lt=1, description="largest share of a sample that may be wrong before the lot is returned"
    )
    review_county_days: int = Field(10, ge=1, le=365, description="days of the county's review")
    review_prefecture_days: int = Field(10, ge=1, le=365, description="days of the prefecture's review")
    review_province_days: int = Field(15, ge=1, le=365, description="days of the province's review")
    review_basin_days: int = Field(20, ge=1, le=365, description="days of the basin agency's spot check")

    @cached_property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @cached_property
    def documents_dir(self) -> Path:
        return self.data_dir / "documents"

    @cached_property
    def imagery_dir(self) -> Path:
        return self.data_dir / "imagery"

    @cached_property
    def archives_dir(self) -> Path:
        return self.data_dir / "archives"

    @cached_property
    def cache_dir(self) -> Path:
        return self.data_dir / "cache"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        if path := os.environ.get("SHUITU_CONFIG"):
            sources.append(TomlConfigSettingsSource(settings_cls, Path(path)))
        return tuple(sources)
