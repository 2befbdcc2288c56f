"""Each migration by itself: it only adds, so that the version before it works on, and what is stored stays.

A migration that takes something away (contracts) says so: `contract = "..."`, with what has not been used since when.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, inspect, select

from delivery.adapters.ledger.sql import upgrade
from delivery.adapters.ledger.sql.engine import Database
from delivery.adapters.ledger.sql.migrate import scripts


def steps() -> list[Script]:
    """Oldest first."""
    return list(ScriptDirectory(str(scripts())).walk_revisions())[::-1]


STEPS = steps()


@pytest.fixture
def database(each_database: str) -> Iterator[Database]:
    found = Database(each_database)
    try:
        yield found
    finally:
        found.close()


def to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def columns(connection: Connection) -> dict[tuple[str, str], Mapping[str, Any]]:
    inspector = inspect(connection)
    tables = [table for table in inspector.get_table_names() if table != "alembic_version"]
    return {(table, column["name"]): column for table in tables for column in inspector.get_columns(table)}


def unique(connection: Connection) -> set[tuple[str, str]]:
    inspector = inspect(connection)
    found = [(table, index) for table in inspector.get_table_names() for index in inspector.get_indexes(table)]
    return {(table, str(index["name"])) for table, index in found if index["unique"]}


def test_there_is_one_line_of_revisions() -> None:
    found = ScriptDirectory(str(scripts()))
    assert len(found.get_heads()) == 1
    assert [step.revision for step in STEPS] == sorted(step.revision for step in STEPS)


def test_every_step_only_adds(database: Database) -> None:
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    indexes: set[tuple[str, str]] = set()
    for step in STEPS:
        to(database, step.revision)
        with database.read() as connection:
            now, now_unique = columns(connection), unique(connection)
        if getattr(step.module, "contract", None) is None:
            assert taken_away(known, now) == [], f"{step.revision} takes something away: expand now, contract later"
            assert in_the_way(known, now) == [], f"{step.revision}: the version before cannot add rows any more"
            old_tables = {table for table, _ in known}
            tightened = [name for table, name in now_unique - indexes if table in old_tables]
            assert tightened == [], f"{step.revision} refuses what the version before may store"
        known, indexes = now, now_unique


def taken_away(before: Mapping[tuple[str, str], Any], after: Mapping[tuple[str, str], Any]) -> list[str]:
    gone = [".".join(name) for name in before.keys() - after.keys()]
    other = [
        ".".join(name)
        for name in before.keys() & after.keys()
        if str(before[name]["type"]) != str(after[name]["type"]) or before[name]["nullable"] > after[name]["nullable"]
    ]
    return sorted(gone + other)


def in_the_way(before: Mapping[tuple[str, str], Any], after: Mapping[tuple[str, str], Any]) -> list[str]:
    """New columns of old tables that have to be given a value by whoever adds a row."""
    tables = {table for table, _ in before}
    new = [name for name in after.keys() - before.keys() if name[0] in tables]
    return sorted(".".join(name) for name in new if not after[name]["nullable"] and after[name]["default"] is None)


def test_the_tests_above_can_fail() -> None:
    was = {("t", "a"): {"type": "TEXT", "nullable": True, "default": None}}
    assert taken_away(was, {}) == ["t.a"]
    assert taken_away(was, {("t", "a"): {"type": "TEXT", "nullable": False, "default": None}}) == ["t.a"]
    assert in_the_way(was, {**was, ("t", "b"): {"type": "TEXT", "nullable": False, "default": None}}) == ["t.b"]
    assert in_the_way(was, {**was, ("u", "b"): {"type": "TEXT", "nullable": False, "default": None}}) == []


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.revision)
def test_what_an_older_schema_has_is_there_after_the_upgrade(database: Database, step: Script) -> None:
    to(database, step.revision)
    filled = MetaData()
    with database.write() as connection:
        filled.reflect(connection)
        for table in filled.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.insert(), [value_for(table)])
    before = contents(database, filled)
    upgrade(database.url.render_as_string(hide_password=False))
    assert contents(database, filled) == before
    assert all(before.values())


def value_for(table: Table) -> dict[str, Any]:
    """A row; foreign keys meet because every text is the same."""
    kinds: dict[type, Any] = {str: "x", bytes: b"{}", int: 7, bool: True}
    return {column.name: kinds[column.type.python_type] for column in table.columns}


def contents(database: Database, known: MetaData) -> dict[str, list[Any]]:
    """Of the tables and columns as they were."""
    with database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in known.sorted_tables
            if table.name != "alembic_version"
        }
