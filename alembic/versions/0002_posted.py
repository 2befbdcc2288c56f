"""Where chats have their messages"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "posted",
        sa.Column("release", NAME, nullable=False),
        sa.Column("channel", NAME, nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release", "channel", name="pk_posted"),
    )


def downgrade() -> None:
    op.drop_table("posted")
