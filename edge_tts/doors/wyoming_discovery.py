"""The local network is told of the Wyoming ports (zeroconf), so that Home Assistant offers them by itself."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from zeroconf import Error, InterfaceChoice, IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger(__name__)

TYPE = "_wyoming._tcp.local."
RETRY_S = 60.0
_EVERY_ADDRESS = ("", "0.0.0.0", "::")
_MULTICAST_DNS = ("224.0.0.251", 5353)

_Finder = Callable[[str], Awaitable[str]]


async def address_of(host: str) -> str:
    """Where *host* of the config is found from outside now; raises OSError without a network."""
    if host in _EVERY_ADDRESS:
        return _own_address()
    found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET)
    return str(found[0][4][0])


@asynccontextmanager
async def announced(
    host: str, ports: Mapping[str, int], find: _Finder = address_of, look_every_s: float = RETRY_S
) -> AsyncIterator[None]:
    """*ports* by what is there are announced inside the block: without a network, as soon as there is one; anew when
    *find* tells another address."""
    task = asyncio.create_task(_announce(host, ports, find, look_every_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _announce(host: str, ports: Mapping[str, int], find: _Finder, look_every_s: float) -> None:
    level = logging.WARNING
    while True:
        try:
            await _register(host, ports, find, look_every_s)
            level = logging.WARNING
        except (OSError, Error) as error:
            log.log(
                level,
                "wyoming: not announced: %s; tried again every %.0f s",
                error or repr(error),
                look_every_s,
            )
            level = logging.DEBUG
            await asyncio.sleep(look_every_s)


async def _register(host: str, ports: Mapping[str, int], find: _Finder, look_every_s: float) -> None:
    """Until the address is another, or cancelled; raises OSError or zeroconf's Error."""
    is_everywhere = host in _EVERY_ADDRESS
    address = await find(host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # The library would forget its first socket, when it fails to open the second.
        probe.bind((address, 0))
    network = AsyncZeroconf(
        # All interfaces would need netlink, which the unit forbids.
        interfaces=InterfaceChoice.Default if is_everywhere else [address],
        ip_version=IPVersion.V4Only,
    )
    try:
        for kind, port in ports.items():
            # The same over restarts, and another on each box: Home Assistant knows a device by it.
            name = f"edge_tts-{_box()}-{kind}.{TYPE}"
            service = AsyncServiceInfo(TYPE, name, port=port, parsed_addresses=[address])
            await (await network.async_register_service(service, allow_name_change=True))
        log.info("wyoming: announced to the network as %s", address)
        # A router that was restarted gives another one. Looked for, because being told would need netlink.
        while True:
            await asyncio.sleep(look_every_s)
            if await find(host) != address:
                return
    finally:
        await network.async_unregister_all_services()
        await network.async_close()


def _box() -> str:
    """What no other box is called: the address of its first network card, else its name."""
    for card in sorted(Path("/sys/class/net").glob("*/device")):  # only real ones have a device
        return (card.parent / "address").read_text(encoding="ascii").strip().replace(":", "")
    return socket.gethostname()[:40]


def _own_address() -> str:
    """Where the way to the network begins; sends nothing. Raises OSError without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_MULTICAST_DNS)
        return str(probe.getsockname()[0])
