"""Let an import have its staged rows counted anew: only an owner may analyse a table."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create function staging.refresh_statistics(name text) returns void language plpgsql security definer
          set search_path = pg_catalog, pg_temp as $$
        begin
          execute format('analyze staging.%I', name);
        end $$""")
    op.execute("revoke all on function staging.refresh_statistics(text) from public")
    op.execute("grant execute on function staging.refresh_statistics(text) to shuitu_service")


def downgrade() -> None:
    op.execute("drop function staging.refresh_statistics(text)")
