"""How far what is old was taken away, and the way to it"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ENDED = sa.text("finished_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "retention_mark",
        sa.Column("name", NAME, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("release", NAME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_retention_mark"),
    )
    op.create_index("ix_release_finished", "release", ["finished_at", "id"], sqlite_where=ENDED, postgresql_where=ENDED)


def downgrade() -> None:
    op.drop_index("ix_release_finished", "release")
    op.drop_table("retention_mark")
