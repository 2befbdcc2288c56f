"""Debian's redis-server, started with the configuration that Valkey has elsewhere."""

import shutil

from delivery.sandbox.valkey import LocalValkey

PROGRAM = "redis-server"


class LocalRedis(LocalValkey):
    """The same configuration, read by Redis."""

    def command(self) -> tuple[str, ...]:
        _, configuration = super().command()
        return (shutil.which(PROGRAM) or PROGRAM, configuration)
