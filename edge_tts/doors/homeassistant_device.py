"""This box as Home Assistant knows it: one device, in the words of its MQTT discovery."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from edge_tts import __version__
from edge_tts.config import Config
from edge_tts.door_config import HttpConfig, MqttConfig, is_loopback
from edge_tts.speech import EventType, Priority

QUEUE_EXPIRES_S = 120
"""Home Assistant takes the length of the queue for unknown when it has not heard it for so long."""

NOTIFIERS = {
    Priority.MESSAGE: ("announce", None, "mdi:bullhorn"),
    Priority.IMPORTANT: ("important", "Important", "mdi:alert"),
    Priority.NOTIFICATION: ("notification", "Notification", "mdi:message-outline"),
}
"""Key, name and icon; the one without a name is called as the device."""

BUTTONS = {
    "stop": ("Stop", "mdi:stop"),
    "skip": ("Skip", "mdi:skip-next"),
    "repeat": ("Repeat last", "mdi:repeat"),
    "clear": ("Clear queue", "mdi:playlist-remove"),
}

TRIGGERS = (EventType.STARTED, EventType.FINISHED, EventType.INTERRUPTED, EventType.FAILED)

CONFIG, DIAGNOSTIC = {"entity_category": "config"}, {"entity_category": "diagnostic"}

Component = dict[str, Any]


def device_id(mqtt: MqttConfig) -> str:
    """`edge_tts_<device>`, of the characters that entity ids are made of."""
    name = f"{mqtt.base_topic}_{mqtt.device}"
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", folded).strip("_")
    if sum(map(str.isalnum, folded)) == sum(map(str.isalnum, name)):
        return slug
    # Of 厨房 nothing is left, and another room must not have the same name.
    return f"{slug}_{blake2b(name.encode(), digest_size=3).hexdigest()}"


def config_topic(config: Config) -> str:
    return f"{config.homeassistant.prefix}/device/{device_id(config.mqtt)}/config"


def device_config(
    config: Config, *, voices: Sequence[str], tones: Sequence[str], can_restart: bool
) -> dict[str, Any]:
    """What is published at `config_topic`. A key that Home Assistant does not know loses it the whole device."""
    home, mqtt = config.homeassistant, config.mqtt
    device: dict[str, Any] = {
        "identifiers": [device_id(mqtt)],
        "name": home.name or mqtt.device,
        "manufacturer": "edge_tts",
        "model": "Offline text-to-speech",
        "sw_version": __version__,
    }
    if home.area:
        device["suggested_area"] = home.area
    if (url := _page(config.http)) is not None:
        device["configuration_url"] = url
    maker = _Maker(device_id(mqtt), f"{mqtt.base_topic}/{mqtt.device}")
    return {
        "device": device,
        "origin": {"name": "edge_tts", "sw_version": __version__},
        "availability": [{"topic": maker.topic("status")}],
        "components": {
            **_speech(maker),
            **_controls(maker, voices, can_restart),
            **_states(maker),
            **_sounds(maker, tones),
            **_triggers(maker),
        },
    }


def _page(http: HttpConfig) -> str | None:
    """Where this box can be reached from elsewhere; None: nowhere, or nobody knows by which name."""
    if not http.enabled or is_loopback(http.host) or http.port == 0:
        return None
    host = http.allowed_hosts[0] if http.allowed_hosts else http.host
    if host in ("0.0.0.0", "::"):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"http{'s' if http.tls_cert else ''}://{shown}:{http.port}/"


class _Maker:
    """Makes components with what all of them have."""

    def __init__(self, device: str, base_topic: str) -> None:
        self._device = device
        self._base_topic = base_topic

    def topic(self, name: str) -> str:
        return f"{self._base_topic}/{name}"

    def entity(self, platform: str, key: str, name: str | None, **options: Any) -> dict[str, Component]:
        entity = self._device if name is None else f"{self._device}_{key}"
        return {
            key: {
                "platform": platform,
                "unique_id": f"{self._device}_{key}",
                "default_entity_id": f"{platform}.{entity}",
                "name": name,
                "qos": 1,
                **options,
            }
        }

    def set_and_shown(self, name: str) -> dict[str, str]:
        return {"command_topic": self.topic(f"{name}/set"), "state_topic": self.topic(name)}


def _speech(maker: _Maker) -> dict[str, Component]:
    say = {"command_topic": maker.topic("say")}
    made: dict[str, Component] = {}
    for priority, (key, name, icon) in NOTIFIERS.items():
        # Quotes and line ends of the message need JSON's own escapes.
        template = f'{{"text": {{{{ value | tojson }}}}, "priority": "{priority}"}}'
        made |= maker.entity("notify", key, name, icon=icon, command_template=template, **say)
    template = '{"text": {{ value | tojson }}}'
    return made | maker.entity(
        "text", "text", "Say", icon="mdi:form-textbox", max=255, command_template=template, **say
    )


def _controls(maker: _Maker, voices: Sequence[str], can_restart: bool) -> dict[str, Component]:
    made: dict[str, Component] = {}
    for key, (name, icon) in BUTTONS.items():
        made |= maker.entity("button", key, name, icon=icon, command_topic=maker.topic(key))
    if can_restart:
        restart = {"command_topic": maker.topic("restart"), "device_class": "restart", **CONFIG}
        made |= maker.entity("button", "restart", "Restart", **restart)
    volume = {"min": 0, "max": 100, "step": 1, "mode": "slider", "unit_of_measurement": "%"}
    speed = {"min": 0.25, "max": 4, "step": 0.05, "mode": "slider", **CONFIG}
    return {
        **made,
        **maker.entity(
            "number", "volume", "Volume", icon="mdi:volume-high", **volume, **maker.set_and_shown("volume")
        ),
        **maker.entity(
            "number", "speed", "Speed", icon="mdi:speedometer", **speed, **maker.set_and_shown("speed")
        ),
        **maker.entity(
            "select",
            "voice",
            "Voice",
            icon="mdi:account-voice",
            options=list(voices),
            **CONFIG,
            **maker.set_and_shown("voice"),
        ),
        **maker.entity("switch", "mute", "Mute", icon="mdi:volume-off", **maker.set_and_shown("mute")),
        **maker.entity("switch", "pause", "Pause", icon="mdi:pause", **maker.set_and_shown("paused")),
    }


def _states(maker: _Maker) -> dict[str, Component]:
    last = {"state_topic": maker.topic("last")}
    queue = {"state_class": "measurement", "expire_after": QUEUE_EXPIRES_S, "icon": "mdi:playlist-play"}
    latency = {"device_class": "duration", "unit_of_measurement": "ms", "state_class": "measurement"}
    return {
        **maker.entity(
            "binary_sensor", "speaking", "Speaking", state_topic=maker.topic("speaking"), device_class="sound"
        ),
        **maker.entity(
            "binary_sensor",
            "problem",
            "Audio problem",
            state_topic=maker.topic("audio_problem"),
            device_class="problem",
            **DIAGNOSTIC,
        ),
        **maker.entity(
            "binary_sensor",
            "quiet_hours",
            "Quiet hours",
            state_topic=maker.topic("quiet_hours"),
            icon="mdi:weather-night",
        ),
        **maker.entity("sensor", "queue", "Queue", state_topic=maker.topic("queue"), **queue, **DIAGNOSTIC),
        **maker.entity(
            "sensor",
            "last",
            "Last announcement",
            icon="mdi:message-text",
            value_template="{{ value_json.text[:255] }}",
            json_attributes_topic=maker.topic("last"),
            **last,
        ),
        **maker.entity(
            "sensor",
            "latency",
            "Latency",
            value_template="{{ value_json.first_audio_ms }}",
            **last,
            **latency,
            **DIAGNOSTIC,
        ),
        **maker.entity("update", "update", "Software", state_topic=maker.topic("update"), **DIAGNOSTIC),
    }


def _sounds(maker: _Maker, tones: Sequence[str]) -> dict[str, Component]:
    if not tones:
        return {}
    options = {"available_tones": list(tones), "support_duration": False, "support_volume_set": True}
    return maker.entity(
        "siren", "chime", "Chime", icon="mdi:bell-ring", **options, **maker.set_and_shown("chime")
    )


def _triggers(maker: _Maker) -> dict[str, Component]:
    event = maker.topic("event")
    made = maker.entity(
        "event",
        "event",
        "Announcement",
        icon="mdi:bullhorn-outline",
        state_topic=event,
        event_types=[str(event_type) for event_type in EventType],
    )
    for event_type in TRIGGERS:
        made[f"on_{event_type}"] = {
            "platform": "device_automation",
            "automation_type": "trigger",
            "type": "announcement",
            "subtype": str(event_type),
            "topic": event,
            "value_template": "{{ value_json.event_type }}",
            "payload": str(event_type),
            "qos": 1,
        }
    return made
