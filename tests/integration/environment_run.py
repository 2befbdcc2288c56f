"""The local environment in a process of its own, for tests that end it: `python -m ... DIRECTORY [API_PORT]`.

Prints progress, then `ready` and what the tests need as one line of JSON.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from delivery.adapters.workloads.process import Command, ProcessWorkloads
from delivery.model.ids import target_id
from delivery.model.service import Workload
from delivery.model.version import VersionRef
from delivery.sandbox.environment import Local, Wanted, running
from delivery.sandbox.errors import CannotStart, Stopped
from delivery.settings import load


def start_a_version(local: Local) -> int:
    """As a worker would: detached, in the state directory of the configuration."""
    settings = load({}, str(local.settings))
    arguments = settings.clusters["local"].workloads.arguments
    commands = {name: Command(process.command, process.env) for name, process in settings.processes.items()}
    workloads = ProcessWorkloads(commands, Path(arguments["state"]), owner=arguments["owner"])
    while not (
        found := workloads.ensure(target_id("shop", "local"), Workload("process", "shop"), VersionRef("1", "1"))
    ).ready:
        assert found.failing is None, found
    return found.endpoints[0].port


def _tell(text: str) -> None:
    print(text, flush=True)


async def main(directory: Path, api_port: int) -> int:
    try:
        async with running(Wanted(directory, api_port, workers=2, processes={"shop": ()}), _tell) as local:
            version_port = await asyncio.to_thread(start_a_version, local)
            _tell("ready")
            _tell(
                json.dumps(
                    {
                        "api": local.api_url,
                        "proxy": local.proxy_url,
                        "keys": asdict(local.keys),
                        "metrics": local.worker_metrics,
                        "version": version_port,
                    }
                )
            )
            why = await local.supervisor.run()
            return 0 if why is None else 1
    except (CannotStart, Stopped) as error:
        _tell(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
