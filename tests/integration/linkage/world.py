"""A register of two counties as the linkage finds it: entries, permits with the intakes they list, proposed pairs."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import system
from app.db.engine import transaction
from app.deps import Services
from layers import catalog

GAOYOU, BAOYING = 321084, 321023
PLACES = {GAOYOU: (119.05, 32.05), BAOYING: (119.25, 32.05)}
STEP = 0.001
"""Degrees between neighbours, about 100 m."""


@dataclass
class World:
    """Ids by name: `intakes["A1"]`, `permits["P1"]`, `points["P1.1"]`, `pairs["A1-P1.1"]`, `lines["A1"]`."""

    services: Services
    intakes: dict[str, int] = field(default_factory=dict)
    permits: dict[str, int] = field(default_factory=dict)
    points: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def session(self) -> Any:
        return transaction(self.services.engine, system("test"))

    def one(self, statement: str, **given: Any) -> Any:
        with self.session() as session:
            return session.execute(text(statement), given).first()

    def value(self, statement: str, **given: Any) -> Any:
        with self.session() as session:
            return session.execute(text(statement), given).scalar()

    def many(self, statement: str, **given: Any) -> list[Any]:
        with self.session() as session:
            return list(session.execute(text(statement), given).all())

    def clear(self) -> None:
        """Take away all that may have come of it."""
        with self.session() as session:
            for table in ("link_decisions", "link_batches", "link_outcomes", "link_pairs", "link_runs", "permit_intakes", "permits", "intakes", "changes"):  # fmt: skip
                session.execute(text(f"delete from shuitu.{table}"))

    # ── making ──────────────────────────────────────────────────────────────────────────────────────

    def intake(self, key: str, /, county: int = GAOYOU, number: int = 0, **values: Any) -> int:
        lon, lat = PLACES[county]
        given = {
            "code": f"QSK-{key}", "name": f"{key}取水口", "holder_name": f"{key}公司", "county_code": county,
            "source_type": "groundwater", "purpose": "industry", "annual_volume_m3": 10_000.0,
            "lon": lon + number * STEP, "lat": lat, "off_stream": True,
            "status": "in_use", "permit_state": "pending",
        } | values  # fmt: skip
        with self.session() as session:
            given["holder_id"] = session.execute(
                text("insert into shuitu.holders (name, county_code) values (:holder_name, :county_code) "
                     "on conflict (name, county_code) where uscc is null do update set name = excluded.name returning id"),
                given,
            ).scalar_one()  # fmt: skip
            columns = [column for column in given if column not in ("lon", "lat")]
            self.intakes[key] = session.execute(
                text(
                    f"insert into shuitu.intakes ({', '.join(columns)}, geom) values ({', '.join(':' + c for c in columns)}, "
                    "st_setsrid(st_makepoint(:lon, :lat), 4490)) returning id"
                ),
                given,
            ).scalar_one()
        return self.intakes[key]

    def permit(self, name: str, points: int = 1, county: int = GAOYOU, number: int = 0, **values: Any) -> int:
        lon, lat = PLACES[county]
        given = {
            "permit_no": f"D{county}G2021-{len(self.permits) + 1:04d}", "status": "valid", "holder_name": f"{name}公司",
            "county_code": county, "source_type": "groundwater", "purpose": "industry", "annual_volume_m3": 10_000.0,
            "place": "城南", "permit_no_raw": "raw",
        } | values  # fmt: skip
        with self.session() as session:
            self.permits[name] = session.execute(
                text(
                    f"insert into shuitu.permits ({', '.join(given)}, valid_from) values ({', '.join(':' + c for c in given)}, "
                    "date '2021-03-01') returning id"
                ),
                given,
            ).scalar_one()
            for seq in range(1, points + 1):
                self.points[f"{name}.{seq}"] = session.execute(
                    text("""insert into shuitu.permit_points (permit_id, seq, name, geom, county_code, source_type, annual_m3)
                            values (:permit, :seq, :name, st_setsrid(st_makepoint(:lon, :lat), 4490), :county, 'groundwater', 10000)
                            returning id"""),
                    {
                        "permit": self.permits[name], "seq": seq, "name": f"{name}取水口{seq}", "county": county,
                        "lon": lon + (number + seq - 1) * STEP + STEP / 5, "lat": lat,
                    },
                ).scalar_one()  # fmt: skip
        return self.permits[name]

    def propose(
        self,
        intake: str,
        point: str,
        probability: float,
        conflicts: tuple[str, ...] = (),
        state: str = "open",
    ) -> int:
        """A pair as a run would write it; `point` is `P1.1`, or `P1` for a permit without points."""
        with self.session() as session:
            self.pairs[f"{intake}-{point}"] = session.execute(
                text("""insert into shuitu.link_pairs (intake_id, permit_id, permit_point_id, probability, distance_m, reasons, conflicts,
                          state, county_code)
                        select i.id, :permit, :point, :probability, 21, '[{"code": "near", "zh": "相距 21 m", "en": "21 m apart", "against": false}]',
                               :conflicts, :state, i.county_code from shuitu.intakes i where i.id = :intake returning id"""),
                {
                    "intake": self.intakes[intake], "permit": self.permits[point.split(".")[0]], "point": self.points.get(point),
                    "probability": probability, "conflicts": list(conflicts), "state": state,
                },
            ).scalar_one()  # fmt: skip
            self.line(session, intake)
        return self.pairs[f"{intake}-{point}"]

    def line(self, session: Session, intake: str) -> None:
        self.lines[intake] = session.execute(
            text("""insert into shuitu.link_outcomes as o (intake_id, source_type, county_code, pairs_open, probability, conflicts)
                    select i.id, i.source_type, i.county_code,
                           (select count(*) from shuitu.link_pairs l where l.intake_id = i.id),
                           (select max(probability) from shuitu.link_pairs l where l.intake_id = i.id),
                           coalesce((select conflicts from shuitu.link_pairs l where l.intake_id = i.id order by probability desc limit 1), '{}')
                    from shuitu.intakes i where i.id = :id
                    on conflict (intake_id) do update set pairs_open = excluded.pairs_open, probability = excluded.probability,
                      conflicts = excluded.conflicts returning id"""),
            {"id": self.intakes[intake]},
        ).scalar_one()

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────

    def outcome(self, intake: str) -> str:
        return str(
            self.value(
                "select outcome from shuitu.link_outcomes where intake_id = :id", id=self.intakes[intake]
            )
        )

    def permit_state(self, intake: str) -> str:
        return str(
            self.value("select permit_state from shuitu.intakes where id = :id", id=self.intakes[intake])
        )

    def on_the_map(self, intake: str) -> str | None:
        """The permit state that the map's table holds."""
        field = next(one for one in catalog.load()["intakes"].fields if one.name == "permit_state")
        row = self.one("select permit_state from map.intake_points where id = :id", id=self.intakes[intake])
        return None if row is None else str(field.values[row[0]].value)

    def links(self, intake: str) -> set[str]:
        """Permits' intakes to which the entry is linked."""
        names = {id_: name for name, id_ in self.points.items()}
        permits = {id_: name for name, id_ in self.permits.items()}
        rows = self.many(
            "select permit_id, permit_point_id from shuitu.permit_intakes where intake_id = :id and valid_to is null",
            id=self.intakes[intake],
        )
        return {names[row[1]] if row[1] else permits[row[0]] for row in rows}

    def without(self) -> set[str]:
        """Permits' intakes that have a line of their own, with its outcome."""
        names = {id_: name for name, id_ in self.points.items()}
        permits = {id_: name for name, id_ in self.permits.items()}
        rows = self.many(
            "select permit_id, permit_point_id, outcome from shuitu.link_outcomes where permit_id is not null"
        )
        return {f"{names[row[1]] if row[1] else permits[row[0]]} {row[2]}" for row in rows}
