"""Reads every history in a database with its bare driver and folds it: `python -m tests.histories.read_stored URL`.

Prints, as JSON by release, what the bytes are worth: the head of the chain and the digest of the folded release.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from delivery.machine.evolve import fold
from delivery.model.codec import GENESIS, canon, digest, link, unseal

QUERY = "SELECT release, seq, prev, hash, body, said FROM event ORDER BY release, seq"
SNAPSHOTS = "SELECT id, body FROM release"


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parts.database))) as connection:
            return connection.execute(query).fetchall()
    conninfo = f"host={parts.query['host']} user={parts.username} dbname={parts.database}"
    with psycopg.connect(conninfo) as connection:
        return connection.execute(query).fetchall()


def histories(url: str) -> Iterator[tuple[str, dict[str, str]]]:
    snapshots = dict(rows(url, SNAPSHOTS))
    for release, links in groupby(rows(url, QUERY), key=itemgetter(0)):
        head, facts = GENESIS, []
        for number, (_, seq, prev, hashed, body, said) in enumerate(links, start=1):
            if (seq, prev, hashed) != (number, head, link(head, body)):
                raise SystemExit(f"the chain of {release} is broken at event {number}")
            head = hashed
            facts.append(unseal(bytes(body), bytes(said or b"")))
        folded = fold(facts)
        same = "yes" if canon(folded) == snapshots[release] else "no"
        yield release, {"head": head, "digest": digest(folded), "snapshot_is_the_fold": same}


if __name__ == "__main__":
    json.dump(dict(histories(sys.argv[1])), sys.stdout)
