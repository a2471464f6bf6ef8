"""The network is told where Wyoming is spoken: a real mDNS conversation over the loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from edge_tts.config import Config
from edge_tts.doors import DOORS
from edge_tts.doors.wyoming_discovery import TYPE, announced
from tests.doors_house import until
from tests.test_service import serving
from tests.wyoming_house import FREE_PORTS


@asynccontextmanager
async def browsing() -> AsyncIterator[tuple[AsyncZeroconf, set[str]]]:
    """A network's listener, and the names that are announced at the moment."""
    names: set[str] = set()

    def on_change(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            names.discard(name)
        else:
            names.add(name)

    network = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    browser = AsyncServiceBrowser(network.zeroconf, TYPE, handlers=[on_change])
    try:
        yield network, names
    finally:
        await browser.async_cancel()
        await network.async_close()


async def test_each_port_is_announced_and_taken_back() -> None:
    async with browsing() as (network, names):
        async with announced("127.0.0.1", {"speech": 10200, "satellite": 10700}):
            await until(lambda: len(names) == 2)
            for name in sorted(names):
                service = AsyncServiceInfo(TYPE, name)
                assert await service.async_request(network.zeroconf, 20_000)
                assert service.parsed_addresses() == ["127.0.0.1"]
                assert service.port == (10700 if "satellite" in name else 10200)
        await until(lambda: not names)


async def test_another_address_is_announced_in_place_of_the_first() -> None:
    """As after the router was restarted. A lost network, between, is no end."""
    addresses = ["127.0.0.1"]

    async def find(host: str) -> str:
        if not addresses:
            raise OSError("no network")
        return addresses[-1]

    async def seen() -> list[str]:
        if not names:
            return []
        service = AsyncServiceInfo(TYPE, min(names))
        return service.parsed_addresses() if await service.async_request(network.zeroconf, 5000) else []

    async def until_seen(address: str) -> None:
        # Asked again: what is announced may be taken back while it is looked up.
        async with asyncio.timeout(30):
            while await seen() != [address]:
                await asyncio.sleep(0.005)

    async with (
        browsing() as (network, names),
        announced("0.0.0.0", {"speech": 10200}, find, look_every_s=0.05),
    ):
        await until_seen("127.0.0.1")
        addresses.clear()
        await until(lambda: not names)
        addresses.append("127.0.0.2")
        await until_seen("127.0.0.2")


@pytest.mark.parametrize(
    ("host", "zeroconf", "is_announced"),
    [("127.0.0.1", True, False), ("0.0.0.0", False, False), ("0.0.0.0", True, True)],
)
async def test_only_who_can_be_reached_is_announced(
    config: Config, host: str, zeroconf: bool, is_announced: bool
) -> None:
    settings = replace(FREE_PORTS, host=host, zeroconf=zeroconf, allowed_networks=("192.168.1.0/24",))
    async with serving(config) as service, DOORS["wyoming"](service, replace(config, wyoming=settings)):
        tasks = [task for task in asyncio.all_tasks() if "object _announce at" in repr(task.get_coro())]
        assert len(tasks) == is_announced


async def test_without_a_network_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    # An address that is nobody's (RFC 5737).
    with socket.socket() as probe, pytest.raises(OSError, match="assign"):
        probe.bind(("203.0.113.1", 0))
    async with announced("203.0.113.1", {"speech": 10200}):
        await until(lambda: "not announced" in caplog.text)
