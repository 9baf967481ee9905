"""Scenes by jurisdiction, runs part by part, and decisions that can each be taken back."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0053"
down_revision = "0051"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / "0053_runs_and_decisions.sql"


def upgrade() -> None:
    run_script(op.get_bind(), SQL)


def downgrade() -> None:
    op.execute("update shuitu.candidates set state = 'suspected' where state = 'unsure'")
    op.execute("delete from shuitu.candidate_decisions where decision not in ('confirm', 'reject', 'reopen')")
    op.execute("alter table shuitu.candidate_decisions drop constraint candidate_decisions_decision_check")
    op.execute(
        "alter table shuitu.candidate_decisions add constraint candidate_decisions_decision_check "
        "check (decision in ('confirm', 'reject', 'reopen'))"
    )
    op.execute(
        "alter table shuitu.candidate_decisions drop column reason, drop column bulk, drop column before, "
        "drop column version_after, drop column undoes"
    )
    op.execute("drop index shuitu.candidates_state_score_id_idx")
    op.execute("alter table shuitu.candidates drop constraint candidates_state_check")
    op.execute(
        "alter table shuitu.candidates add constraint candidates_state_check "
        "check (state in ('suspected', 'confirmed', 'rejected'))"
    )
    op.execute(
        "alter table shuitu.candidates drop column raw_score, drop column run_part, drop column reason, "
        "drop column redrawn, drop column profile, drop column serving_intake_ids, drop column permitted_m3, drop column volume_method"
    )
    op.execute("drop table shuitu.detection_parts")
    op.execute("alter table shuitu.detection_runs drop column versions, drop column started_at")
    op.execute("drop policy by_footprint on shuitu.scenes")
    op.execute("alter table shuitu.scenes disable row level security")
    op.execute("drop trigger place_scenes on shuitu.regions")
    op.execute("drop trigger place_scenes on shuitu.basin_agencies")
    op.execute("drop trigger place on shuitu.scenes")
    op.execute("drop function shuitu.place_scenes_again()")
    op.execute("drop function shuitu.place_scene()")
    op.execute(
        "alter table shuitu.scenes drop column county_codes, drop column basin_ids, drop column source"
    )
