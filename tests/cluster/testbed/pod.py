"""The container of every pod of the testbed: the demo service, on the pod's own address.

GET /healthz says whether it takes requests, GET /_stats what it has counted: the count on the wire.
"""

import argparse
import asyncio
import signal

from delivery.sandbox.demo_service import Connection, Profile, Server, Service, parse_faults


class PodServer(Server):
    """Listens on any address."""

    async def listen(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self.service, self._connections), address, port, backlog=1024
        )


async def _run(service: Service, address: str, port: int) -> None:
    server, ended = PodServer(service), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.listen(address, port)
    await ended.wait()
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--faults", default="", help="as the demo service's, without the version: fail-every=12,...")
    given = parser.parse_args()
    profile = parse_faults(f"{given.version}:{given.faults}")[1] if given.faults else Profile()
    asyncio.run(_run(Service(given.version, profile), given.address, given.port))


if __name__ == "__main__":
    main()
