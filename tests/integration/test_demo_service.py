"""The demo service: counted faults, honest counters, any framing of HTTP/1.1, and an orderly end."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from delivery.sandbox.client import Call, Client, ClientError
from delivery.sandbox.demo_service import Profile, Server, Service, parse_faults

HEALTHY = Profile()


def served(test, profile=HEALTHY):
    """Runs `test(client, server)` against a service of its own."""

    async def run():
        server = Server(Service("1.4.2", profile))
        await server.start()
        client = Client("127.0.0.1", server.port)
        try:
            return await test(client, server)
        finally:
            client.close()
            await server.stop(0)

    return asyncio.run(run())


async def ask(client, count, **call):
    return [await client.call(Call("checkout", **call)) for _ in range(count)]


def test_every_nth_request_fails_copies_counted_apart():
    async def test(client, server):
        users = await ask(client, 20)
        copies = await ask(client, 10, headers={"x-delivery-mirrored": "1"})
        stats = json.loads((await ask(client, 1, path="/_stats"))[0].body)
        return [reply.status for reply in users], [reply.status for reply in copies], stats

    users, copies, stats = served(test, Profile(fail_every=5))
    assert users == 4 * [200, 200, 200, 200, 500]
    assert copies == 2 * [200, 200, 200, 200, 500]
    assert stats == {
        "version": "1.4.2",
        "requests": 20,
        "mirrored": 10,
        "errors": 6,
        "methods": {"GET": 20},
        "mirrored_methods": {"GET": 10},
    }


def test_latency_is_added_and_every_nth_is_slower():
    async def test(client, server):
        return [reply.seconds for reply in await ask(client, 6)]

    took = served(test, Profile(latency_ms=20, slow_every=3, slow_ms=200))
    assert all(seconds >= 0.02 for seconds in took)
    assert [seconds >= 0.22 for seconds in took] == [False, False, True] * 2


def test_a_cold_start_is_over_after_so_many_requests():
    async def test(client, server):
        return [reply.seconds for reply in await ask(client, 4)]

    took = served(test, Profile(cold_requests=2, cold_ms=200))
    assert [seconds >= 0.2 for seconds in took] == [True, True, False, False]


def test_it_says_who_it_is_in_body_and_header():
    async def test(client, server):
        return await client.call(Call("checkout", "/a?b=c", "POST", body=b"x" * 100_000))

    reply = served(test)
    assert reply.version == "1.4.2"
    assert json.loads(reply.body) == {"version": "1.4.2", "path": "/a?b=c", "request": 1}


def test_head_has_no_body_and_the_connection_goes_on():
    async def test(client, server):
        head = await client.call(Call("checkout", method="HEAD"))
        after = await client.call(Call("checkout"))
        return head.body, after.status

    assert served(test) == (b"", 200)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_pieces_chunks_and_pipelines(step):
    chunked = b"POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n"
    sized = b"PUT / HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\n\r\nGET "
    last = b"GET / HTTP/1.1\r\nhost: a\r\nConnection: close\r\n\r\n"

    async def test(client, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        sent = chunked + sized + last
        for start in range(0, len(sent), step):
            writer.write(sent[start : start + step])
            await asyncio.sleep(0)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer, dict(server.service.methods)

    answer, methods = served(test)
    assert len(re.findall(rb"HTTP/1.1 200 OK", answer)) == 3
    assert methods == {"POST": 1, "PUT": 1, "GET": 1}


def test_what_is_not_http_is_cut_off():
    async def test(client, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    assert served(test) == b""


def test_a_cut_connection_is_a_failure_and_not_an_answer():
    async def test(client, server):
        asked = asyncio.create_task(client.call(Call("checkout")))
        while not server.service.users:
            await asyncio.sleep(0)
        await server.stop(0)
        client.close()
        with pytest.raises(ClientError, match="cut"):
            await asked

    served(test, Profile(latency_ms=5000))


def test_sigterm_ends_requests_and_then_the_process():
    command = [sys.executable, "-m", "delivery.sandbox.demo_service", "--version", "7", "--port", "0"]
    with subprocess.Popen(
        [*command, "--faults", "7:latency-ms=300"], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rsplit(" ", 1)[1])

            async def asked():
                client, idle = Client("127.0.0.1", port), Client("127.0.0.1", port)
                assert (await idle.call(Call("checkout", "/healthz"))).status == 200
                pending = asyncio.create_task(client.call(Call("checkout")))
                while json.loads((await idle.call(Call("checkout", "/_stats"))).body)["requests"] == 0:
                    await asyncio.sleep(0)
                process.send_signal(signal.SIGTERM)
                status = (await pending).status
                client.close()
                idle.close()
                return status

            assert asyncio.run(asked()) == 200
            assert process.wait(20) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    "text", ["1.4.3", "1.4.3:", "1.4.3:fail=1", "1.4.3:fail-every", "1.4.3:fail-every=x", ":fail-every=1"]
)
def test_faults_that_nobody_understands_are_refused(text):
    with pytest.raises(ValueError):
        parse_faults(text)


def test_faults_belong_to_a_version():
    assert parse_faults("1.4.3:fail-every=12,latency-ms=5") == ("1.4.3", Profile(fail_every=12, latency_ms=5))
