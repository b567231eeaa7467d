"""As much of Docker's API as starting a RabbitMQ needs; the containers are embedded brokers."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cbsim.bus.embedded import EmbeddedBroker

IMAGES = ("rabbitmq:4-management", "rabbitmq:broken", "rabbitmq:taken")


class Engine(ThreadingHTTPServer):
    """Listens on a port of loopback; `containers` are what it was asked for, by id."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.containers: dict[str, dict[str, Any]] = {}
        self.images = set(IMAGES)
        self.brokers: dict[str, EmbeddedBroker] = {}
        self.url = f"tcp://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Engine:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        for broker in self.brokers.values():
            broker.stop()


class _Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/version"):
            self._say({"ApiVersion": "1.45", "MinAPIVersion": "1.24"})
        elif path.endswith("/containers/json"):
            label = json.loads(parse_qs(urlsplit(self.path).query)["filters"][0])["label"][0]
            found = [
                it | {"Labels": it["Config"]["Labels"]}
                for it in self.server.containers.values()
                if label in it["Config"]["Labels"]
            ]
            self._say(found)
        elif path.endswith("/logs"):
            self._raw(b"\x01\0\0\0\0\0\0\x0ano license")
        elif "/exec/" in path:
            self._say({"ExitCode": 0})
        elif match := re.search(r"/containers/(\w+)/json", path):
            it = self.server.containers.get(match[1])
            self._say(it or {"message": "No such container"}, 200 if it else 404)
        elif match := re.search(r"/images/(.+)/json", path):
            self._say({"Id": match[1], "RepoTags": [match[1]]})
        else:
            self._say({"message": f"page not found: {path}"}, 404)

    def do_POST(self) -> None:
        path, body = (
            urlsplit(self.path).path,
            self.rfile.read(int(self.headers["Content-Length"] or 0)),
        )
        if path.endswith("/containers/create"):
            asked = json.loads(body)
            if asked["Image"] not in self.server.images:
                self._say({"message": f"No such image: {asked['Image']}"}, 404)
                return
            name = f"{len(self.server.containers):064x}"
            self.server.containers[name] = {
                "Id": name, "Image": asked["Image"], "Config": asked,
                "State": {"Status": "created"},
                "HostConfig": {"LogConfig": {"Type": "json-file"}},
                "NetworkSettings": {"Ports": {}},
            }  # fmt: skip
            self._say({"Id": name}, 201)
        elif path.endswith("/images/create"):
            asked_for = parse_qs(urlsplit(self.path).query)
            if asked_for["tag"] == ["9"]:
                self._say({"message": "manifest unknown"}, 404)
                return
            self.server.images.add(f"{asked_for['fromImage'][0]}:{asked_for['tag'][0]}")
            self._say({"status": "Pull complete"})
        elif path.endswith("/exec"):
            assert json.loads(body)["Cmd"][:3] == ["rabbitmqctl", "--quiet", "list_queues"]
            self._say({"Id": "0"}, 201)
        elif path.endswith("/exec/0/start"):
            self._raw(
                b"\x01\0\0\0\0\0\0\x0cqueue\t0\t0\t1\n", 200, "application/vnd.docker.raw-stream"
            )
        elif match := re.search(r"/containers/(\w+)/start", path):
            if self.server.containers[match[1]]["Image"] == "rabbitmq:taken":
                self._say({"message": "port is already allocated"}, 500)
                return
            self._start(match[1])
            self._raw(b"", 204)

    def do_DELETE(self) -> None:
        match = re.search(r"/containers/(\w+)\?", self.path)
        assert match
        del self.server.containers[match[1]]
        if match[1] in self.server.brokers:
            self.server.brokers.pop(match[1]).stop()
        self._raw(b"", 204)

    def _start(self, name: str) -> None:
        it = self.server.containers[name]
        if it["Image"] == "rabbitmq:broken":
            it["State"]["Status"] = "exited"
            port = 1
        else:
            asked = dict(one.split("=", 1) for one in it["Config"]["Env"])
            broker = EmbeddedBroker(
                user=asked["RABBITMQ_DEFAULT_USER"], password=asked["RABBITMQ_DEFAULT_PASS"]
            ).start()
            self.server.brokers[name], port = broker, broker.port
            it["State"]["Status"] = "running"
        it["NetworkSettings"]["Ports"] = {
            "5672/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
        }

    def _say(self, what: object, status: int = 200) -> None:
        self._raw(json.dumps(what).encode(), status, "application/json")

    def _raw(self, body: bytes, status: int = 200, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
