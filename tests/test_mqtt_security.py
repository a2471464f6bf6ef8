"""The MQTT door and a broker that wants TLS and a password."""

from __future__ import annotations

import gc
import getpass
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from edge_tts.config import Config
from edge_tts.door_config import MqttConfig
from edge_tts.doors.mqtt_trial import try_broker
from edge_tts.errors import DeviceError
from tests.doors_house import until
from tests.house import wait_until
from tests.mosquitto import Mosquitto
from tests.phone import opened, problems

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds ca.pem and password."""
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[Mosquitto]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    (folder / "password").write_text("let me in\n")
    users = folder / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "box", "let me in"], check=True)
    # Started as root it would become a user who may read none of these.
    settings = [f"user {getpass.getuser()}"]
    settings += [f"certfile {folder}/server.pem", f"keyfile {folder}/server.pem", f"password_file {users}"]
    broker = Mosquitto(folder, *settings, allow_anonymous=False)
    broker.start()
    yield broker
    broker.stop()


def mqtts(broker: Mosquitto, folder: Path) -> MqttConfig:
    return MqttConfig(
        url=f"mqtts://box@localhost:{broker.port}",
        password_file=folder / "password",
        ca_file=folder / "ca.pem",
    )


async def test_it_connects_with_tls_and_a_password(config: Config, guarded: Mosquitto, folder: Path) -> None:
    async with opened(replace(config, mqtt=mqtts(guarded, folder))) as service:
        await until(lambda: "mqtt_disconnected" not in problems(service))


def test_a_wrong_password_is_said(guarded: Mosquitto, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("guess")
    with pytest.raises(DeviceError, match=r"(?i)not authori[sz]ed"):
        try_broker(replace(mqtts(guarded, folder), password_file=tmp_path / "wrong"))


# paho leaves the socket of a failed handshake to the garbage collector, which closes it and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_of_a_stranger_is_refused(guarded: Mosquitto, folder: Path, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    before = set(threading.enumerate())
    with pytest.raises(DeviceError, match=r"(?i)certificate"):
        try_broker(replace(mqtts(guarded, folder), ca_file=tmp_path / "other.pem"))
    # Now, and not in the next test, where nothing is ignored; paho's threads still hold it for a while.
    wait_until(lambda: set(threading.enumerate()) <= before, 60)
    gc.collect()
