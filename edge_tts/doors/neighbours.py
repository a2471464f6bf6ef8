"""Who may come to a door that knows no passwords."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network


def is_let_in(address: str, networks: Iterable[str]) -> bool:
    """Whether *address* (of a connection's other end) is this box, or in one of *networks* (`allowed_networks`)."""
    try:
        # "fe80::1%eth0" names the network card, too.
        caller = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped
    return caller.is_loopback or any(caller in ip_network(network) for network in networks)
