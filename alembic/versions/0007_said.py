"""What people said is stored apart from what is hashed; and a chain of what was done to the history itself"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("event", sa.Column("said", sa.LargeBinary(), nullable=True))
    op.add_column("release", sa.Column("erased", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "record",
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
        sa.Column("prev", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_record"),
    )
    op.create_index("ix_record_subject", "record", ["subject"])


def downgrade() -> None:
    op.drop_table("record")
    op.drop_column("release", "erased")
    op.drop_column("event", "said")
