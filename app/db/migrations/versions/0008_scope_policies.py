"""Let the planner see how wide a scope is.

Written as sub-selects, the bounds of a scope are unknown when a statement is planned, and a range of unknown
bounds counts as 0.5 % of the rows: for a national scope the planner then read the whole index by county before
it looked at anything else (1,000,000 intakes, pages of 1,000: first page 2,292 ms, box of a county 102 ms; as
here 20 ms and 6 ms, and nothing slower by more than the noise for a county or a basin agency). Plain calls of
the stable functions are folded for the estimate and serve as index conditions all the same; as a filter they
cost about a microsecond a row, which is why the map tables, read by the ten thousand, keep the sub-selects.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = (
    "holders", "permits", "permit_history", "permit_limits", "intakes", "intake_history",
    "permit_intakes", "candidates", "candidate_decisions", "changes",
)  # fmt: skip
POLICY = "(county_code >= {lo} and county_code < {hi}) or basin_id = {basin}"


def _alter(form: str) -> None:
    bounds = {name: form.format(f"shuitu.scope_{name}()") for name in ("lo", "hi", "basin")}
    for table in TABLES:
        op.execute(f"alter policy by_scope on shuitu.{table} using ({POLICY.format(**bounds)})")


def upgrade() -> None:
    _alter("{}")


def downgrade() -> None:
    _alter("(select {})")
