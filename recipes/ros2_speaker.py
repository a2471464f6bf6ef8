#!/usr/bin/env python3
"""A loudspeaker for ROS 2: a node that has texts spoken by edge_tts over HTTP. docs/recipes.md tells of it.

    python3 ros2_speaker.py --ros-args -p url:=http://127.0.0.1:8765 -p token:=…

Needs rclpy, std_msgs and std_srvs; else only Python. What is not ROS is in Box.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPException
from typing import Any

QUIET_S = 40.0
"""The box says at least every 15 s that it is still there."""

RETRY_S = 2.0


class RefusedError(Exception):
    """The box did not take it; `event` is told to who asked, as an outcome."""

    def __init__(self, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.event = {"event_type": "failed", "id": request_id, "code": code, "message": message}


def goal(text: str) -> dict[str, Any]:
    """The request in a message: a text, or a JSON object with the fields of a request. It gets an `id` if it has none.
    Raises RefusedError."""
    wanted: Any = {"text": text}
    if text.lstrip().startswith("{"):
        try:
            wanted = json.loads(text)
        except ValueError as error:
            raise RefusedError("bad_json", f"expected a text or a JSON object: {error}") from error
    return {"id": uuid.uuid4().hex, **wanted}


class Box:
    """edge_tts over HTTP. May be used from any thread."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def _open(self, path: str, body: dict[str, Any] | None, timeout_s: float) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, content, self._headers)
        return urllib.request.urlopen(request, timeout=timeout_s)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request_id = body.get("id")
        try:
            with self._open(path, body, 10.0) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except urllib.error.HTTPError as error:
            with closing(error):
                told = json.load(error)["error"]
            raise RefusedError(told["code"], told["message"], request_id) from error
        except OSError as error:
            raise RefusedError("unreachable", f"{self._url} does not answer: {error}", request_id) from error

    def say(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Queue it; what becomes of it is told by `events`. Raises RefusedError."""
        return self._post("/api/say", wanted)

    def stop(self, request_id: str | None = None) -> dict[str, Any]:
        """End one request, whether it speaks or waits; without an id, all. Raises RefusedError."""
        return self._post("/api/stop", {} if request_id is None else {"id": request_id})

    def events(self) -> Iterator[dict[str, Any]]:
        """What becomes of every request (`event_type`: queued, started or an outcome), until the box goes away; begins
        with {"event_type": "state"}, and from then on misses nothing. Raises OSError and HTTPException."""
        with self._open("/api/events", None, QUIET_S) as stream:
            name = ""
            for line in stream:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield {**json.loads(value), "event_type": name}

    def follow(self, tell: Callable[[dict[str, Any]], None], stopped: threading.Event) -> None:
        """Call *tell* with all events until *stopped*, which is seen with the next one; a box that went away is waited
        for."""
        while not stopped.is_set():
            try:
                for event in self.events():
                    if stopped.is_set():
                        return
                    tell(event)
            except (OSError, HTTPException):
                pass
            stopped.wait(RETRY_S)


def main() -> None:
    import rclpy
    from std_msgs.msg import String
    from std_srvs.srv import Trigger

    rclpy.init()
    node = rclpy.create_node("speaker")
    url = node.declare_parameter("url", "http://127.0.0.1:8765").value
    box = Box(url, node.declare_parameter("token", "").value)
    feedback = node.create_publisher(String, "~/feedback", 10)

    def tell(event: dict[str, Any]) -> None:
        if event["event_type"] != "state":
            feedback.publish(String(data=json.dumps(event)))

    def say(message: Any) -> None:
        try:
            box.say(goal(message.data))
        except RefusedError as refused:
            node.get_logger().warning(str(refused))
            tell(refused.event)

    def cancel(message: Any) -> None:
        try:
            box.stop(message.data)
        except RefusedError as refused:
            node.get_logger().warning(str(refused))

    def stop(request: Any, response: Any) -> Any:
        try:
            response.success, response.message = True, f"{box.stop()['ended']} ended"
        except RefusedError as refused:
            response.success, response.message = False, str(refused)
        return response

    node.create_subscription(String, "~/say", say, 10)
    node.create_subscription(String, "~/cancel", cancel, 10)
    node.create_service(Trigger, "~/stop", stop)
    stopped = threading.Event()
    threading.Thread(target=box.follow, args=(tell, stopped), daemon=True).start()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass  # the usual end of a node
    finally:
        stopped.set()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
