"""The core of Home Assistant with its MQTT integration, for tests/test_homeassistant.py; scripts/homeassistant gets it.

    python3 tests/homeassistant_core.py FOLDER PORT_OF_THE_BROKER

Told on standard output, a JSON object a line: each new state, each warning of the log. Asked on standard input: an
action to perform ({"call": "button.press", "data": …}), the triggers of all devices ({"triggers": true}), a package of
configuration to be set up ({"package": …}), states of things that are not there ({"states": [["light.hall", "on"]…]}).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

ABSENT = {"habluetooth", "hass_nabucasa"}
"""Imported by what MQTT imports, never called: Bluetooth and the cloud."""


class _Absent(MetaPathFinder, Loader):
    """Modules of which every name is an empty class."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in ABSENT else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        module.__dict__["__getattr__"] = self._empty_class
        return module

    @staticmethod
    def _empty_class(name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})

    def exec_module(self, module: ModuleType) -> None: ...


sys.meta_path.insert(0, _Absent())

# Only now: they import what is absent.
from homeassistant import loader  # noqa: E402
from homeassistant.components import mqtt  # noqa: E402
from homeassistant.components.mqtt import config_flow as mqtt_config  # noqa: E402
from homeassistant.config_entries import ConfigEntries, ConfigEntry  # noqa: E402
from homeassistant.core import CoreState, HomeAssistant  # noqa: E402
from homeassistant.helpers import (  # noqa: E402
    area_registry,
    category_registry,
    condition,
    device_registry,
    entity,
    entity_registry,
    floor_registry,
    frame,
    issue_registry,
    label_registry,
    restore_state,
    template,
    translation,
    trigger,
)
from homeassistant.setup import async_setup_component  # noqa: E402

NOT_NEEDED = ("http", "file_upload", "repairs")
"""Integrations that MQTT and its platforms wait for: web pages."""


def tell(**fields: Any) -> None:
    # In one go: other threads tell, too.
    os.write(1, (json.dumps(fields, default=str) + "\n").encode())


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Of how this file has put Home Assistant together.
        if record.name != "homeassistant.helpers.frame":
            tell(warning=record.getMessage())


async def core(folder: Path, port: int) -> HomeAssistant:
    """Running, connected to the broker and settled there: it has said that it is born."""
    (folder / "configuration.yaml").touch()
    hass = HomeAssistant(str(folder))
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = ConfigEntries(hass, {})
    for module in (entity, frame, template, translation):
        module.async_setup(hass)
    registries = (area_registry, category_registry, device_registry, entity_registry, floor_registry)
    for module in (*registries, issue_registry, label_registry, restore_state):
        await module.async_load(hass)
    await trigger.async_setup(hass)
    await condition.async_setup(hass)
    await hass.config_entries.async_initialize()
    for name in NOT_NEEDED:
        hass.config.components.add(name)
    hass.bus.async_listen("state_changed", _tell_state)
    hass.set_state(CoreState.running)
    broker = ConfigEntry(
        domain="mqtt",
        title="mqtt",
        data={"broker": "127.0.0.1", "port": port},
        options={},
        source="user",
        unique_id=None,
        version=mqtt_config.CONFIG_ENTRY_VERSION,
        minor_version=mqtt_config.CONFIG_ENTRY_MINOR_VERSION,
        discovery_keys=MappingProxyType({}),
        subentries_data=None,
    )
    await hass.config_entries.async_add(broker)
    born = asyncio.Event()
    await mqtt.async_subscribe(hass, "homeassistant/status", lambda message: born.set())
    await born.wait()
    return hass


def _tell_state(event: Any) -> None:
    new = event.data["new_state"]
    attributes = dict(new.attributes) if new else {}
    tell(entity=event.data["entity_id"], state=new.state if new else None, attributes=attributes)


async def triggers(hass: HomeAssistant) -> list[str]:
    from homeassistant.components.mqtt.device_trigger import async_get_triggers

    devices = device_registry.async_get(hass).devices
    found = [each for name in devices for each in await async_get_triggers(hass, name)]
    return sorted(f"{each['type']} {each['subtype']}" for each in found)


async def obey(hass: HomeAssistant, asked: dict[str, Any]) -> None:
    if "call" in asked:
        domain, _, action = asked["call"].partition(".")
        await hass.services.async_call(domain, action, asked["data"], blocking=True)
        tell(called=asked["call"])
    elif "triggers" in asked:
        tell(triggers=await triggers(hass))
    elif "package" in asked:
        for name in ("persistent_notification", *asked["package"]):
            if not await async_setup_component(hass, name, asked["package"]):
                raise ValueError(f"{name} cannot be set up")
        tell(set_up=sorted(asked["package"]))
    elif "states" in asked:
        for entity_id, state in asked["states"]:
            hass.states.async_set(entity_id, state)
        tell(states=len(asked["states"]))


async def main(folder: Path, port: int) -> None:
    hass = await core(folder, port)
    tell(ready=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            await obey(hass, json.loads(line))
        except Exception as error:
            tell(error=repr(error))
    await hass.async_stop(force=True)


if __name__ == "__main__":
    logging.basicConfig(level="WARNING", handlers=[_Teller()])
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
