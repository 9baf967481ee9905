"""The nation's scope holds the work of basin agencies.

A basin agency's import, detection or job has no range of counties, only its basin, so that no range held it: not
even the nation's, in which the worker looks up whose a job is. Such jobs were never carried out.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = ("imports", "detection_runs", "process_jobs")
WITHIN = """(scope_lo >= (select shuitu.scope_lo()) and scope_hi <= (select shuitu.scope_hi()) and scope_hi > scope_lo)
            or scope_basin = (select shuitu.scope_basin())"""
NATION = "((select shuitu.scope_lo()) <= 0 and (select shuitu.scope_hi()) >= 1000000)"


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"alter policy within_scope on shuitu.{table} using ({WITHIN} or {NATION})")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"alter policy within_scope on shuitu.{table} using ({WITHIN})")
