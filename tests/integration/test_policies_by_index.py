"""What looks into other tables for each row looks there by an index: policies, and the views of past days."""

import re

import psycopg
import pytest

from app.db.engine import Dsns

COUNTY = "select set_config('app.scope_lo', '321000', true), set_config('app.scope_hi', '321100', true)"


@pytest.mark.parametrize("table", ["permits", "permit_limits", "permit_history"])
def test_the_links_of_a_permit_are_found_by_an_index(database: Dsns, table: str) -> None:
    with psycopg.connect(database.service) as connection:
        connection.execute(COUNTY)
        connection.execute("set local enable_seqscan = off")  # then one is left only where no index serves
        rows = connection.execute(f"explain select from shuitu.{table} where county_code = 510104".encode())
        plan = "\n".join(str(row[0]) for row in rows)
    assert re.search(rf"Cond: \(+permit_id = {table}\.", plan), plan
    assert "Seq Scan on permit_intakes" not in plan


def test_the_reviews_of_an_intake_on_a_past_day_are_found_by_an_index(database: Dsns) -> None:
    with psycopg.connect(database.service) as connection:
        connection.execute(COUNTY)
        connection.execute("set local enable_seqscan = off")
        connection.execute("set local enable_bitmapscan = off")
        rows = connection.execute(
            "explain select review_state from map.intakes_at('2025-12-31') where county_code = 321084"
        )
        plan = "\n".join(str(row[0]) for row in rows)
    for found in (r"using review_items_intakes on review_items r", r"using review_batches_pkey on review_batches b"):  # fmt: skip
        assert re.search(found, plan), plan
