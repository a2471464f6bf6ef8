"""Offline text-to-speech appliance: text in by MQTT and HTTP, speech out of the loudspeaker of this box."""

__version__ = "0.1.0"
