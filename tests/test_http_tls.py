"""HTTP from outside the box: real certificates, curl as the caller."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from edge_tts.config import Config
from edge_tts.door_config import HttpConfig
from edge_tts.doors.http import open_door
from edge_tts.doors.http_connections import Deadlines
from edge_tts.errors import ConfigError
from tests.doors_house import n_descriptors, until
from tests.test_service import serving


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem signed server.pem and caller.pem; stranger.pem is another authority's."""
    folder = tmp_path_factory.mktemp("papers")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = {
        "server": authority.issue_cert("localhost"),
        "caller": authority.issue_cert("panel.home"),
        "stranger": trustme.CA().issue_cert("panel.home"),
    }
    for name, certificate in issued.items():
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    return folder


def https(papers: Path, **settings: Any) -> HttpConfig:
    return HttpConfig(port=0, tls_cert=papers / "server.pem", tls_key=papers / "server.pem", **settings)


async def curl(*arguments: object) -> tuple[int, str]:
    """Exit status, and HTTP status at the end of what was said."""
    command = ["curl", "-sS", "-w", "%{http_code}", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_speech_over_tls(config: Config, papers: Path) -> None:
    guarded = replace(config, http=https(papers, token="secret"))
    async with serving(config) as service, open_door(service, guarded) as door:
        assert door is not None
        url = f"https://localhost:{door.port}"
        asked = ("--cacert", papers / "ca.pem", "--json", '{"text": "Hello."}')
        status, said = await curl(
            *asked, "-H", "Authorization: Bearer secret", f"{url}/api/say?wait=finished"
        )
        assert status == 0
        assert '"finished"' in said
        assert said.endswith("200")
        assert (await curl(*asked, f"{url}/api/say"))[1].endswith("401")
        # Without TLS there is no answer, and so no token on its way in the clear twice.
        assert (await curl(url.replace("https", "http")))[0] != 0
        # Its certificate is really looked at.
        assert "certificate" in (await curl(f"{url}/healthz"))[1]


async def test_only_callers_with_a_certificate_are_let_in(config: Config, papers: Path) -> None:
    guarded = replace(config, http=https(papers, client_ca=papers / "ca.pem"))
    async with serving(config) as service, open_door(service, guarded) as door:
        assert door is not None
        asked = ("--cacert", papers / "ca.pem", f"https://localhost:{door.port}/api/state")
        status, said = await curl("--cert", papers / "caller.pem", *asked)
        assert (status, said[-3:]) == (0, "200")
        for identity in ((), ("--cert", papers / "stranger.pem")):
            status, said = await curl(*identity, *asked)
            assert (status != 0, said[-3:]) == (True, "000")


async def test_a_long_answer_and_many_callers_over_tls(config: Config, papers: Path) -> None:
    text = "This is said over and over again. " * 40
    async with (
        serving(config) as service,
        open_door(service, replace(config, http=https(papers))) as door,
    ):
        assert door is not None
        url = f"https://localhost:{door.port}/api/tts?format=pcm"
        asked = ("--cacert", papers / "ca.pem", "-H", "Content-Type: text/plain", "--data-binary", text)
        answers = await asyncio.gather(*(curl(*asked, "-o", "/dev/null", url) for _ in range(5)))
        assert answers == [(0, "200")] * 5


async def test_handshakes_that_never_end_are_cut_off_and_in_nobodys_way(config: Config, papers: Path) -> None:
    guarded = replace(config, http=https(papers, max_connections=4))
    async with (
        serving(config) as service,
        open_door(service, guarded, Deadlines(head_s=2.0)) as door,
        AsyncExitStack() as silent,
    ):
        assert door is not None
        base = n_descriptors()
        for _ in range(20):
            silent.enter_context(socket.create_connection(("127.0.0.1", door.port)))
        asked = ("--cacert", papers / "ca.pem", f"https://localhost:{door.port}/healthz")
        assert (await curl(*asked))[1].endswith("200")
        # Our ends are closed though nobody ever said a word.
        await until(lambda: n_descriptors() == base + 20)


async def test_stopping_waits_for_no_handshake(config: Config, papers: Path) -> None:
    async with serving(config) as service:
        async with open_door(service, replace(config, http=https(papers)), Deadlines(head_s=600)) as door:
            assert door is not None
            with socket.create_connection(("127.0.0.1", door.port)):
                async with asyncio.timeout(10):
                    await until(lambda: [t for t in asyncio.all_tasks() if "_secure" in repr(t)])
        async with asyncio.timeout(10):
            await until(lambda: not [t for t in asyncio.all_tasks() if "_secure" in repr(t)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "0.0.0.0"}, "can be reached from outside this box: set token, token_file or client_ca"),
        ({"host": "192.168.1.2", "tls_cert": "a", "tls_key": "b"}, "can be reached from outside"),
        ({"tls_cert": "a"}, "tls_cert is of no use without tls_key"),
        ({"tls_key": "a"}, "tls_key is of no use without tls_cert"),
        ({"client_ca": "a"}, "needs tls_cert and tls_key"),
    ],
)
def test_half_of_it_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HttpConfig(**settings)


@pytest.mark.parametrize("key", ["tls_cert", "tls_key", "client_ca"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
async def test_files_that_cannot_be_used(
    config: Config, papers: Path, tmp_path: Path, key: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "broken").write_bytes(content)
    files: dict[str, Any] = dict.fromkeys(("tls_cert", "tls_key", "client_ca"), papers / "server.pem")
    broken = replace(config, http=HttpConfig(port=0, **{**files, key: tmp_path / "broken"}))
    async with serving(config) as service:
        with pytest.raises(ConfigError, match=rf"http\.(tls_cert|client_ca).*{tmp_path}/broken"):
            async with open_door(service, broken):
                pass
