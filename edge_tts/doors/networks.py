"""From where callers are let in at the doors without passwords."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network


class Networks:
    """This box itself, and the networks that the configuration names."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(network) for network in networks]

    def admit(self, address: str) -> bool:
        """Whether a caller from *address*, as a socket tells it, is let in."""
        caller = ip_address(address)
        if isinstance(caller, IPv6Address) and caller.ipv4_mapped is not None:
            # A socket for both kinds of addresses shows 192.168.1.7 as ::ffff:192.168.1.7.
            caller = caller.ipv4_mapped
        return caller.is_loopback or any(caller in network for network in self._networks)
