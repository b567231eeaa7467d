"""RabbitMQ's management API, as far as queues are asked about."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from cbsim.bus.connection import PLAIN, Tls, redacted, trust
from cbsim.bus.queue_state import QueueState, Reading, Totals
from cbsim.errors import BrokerError

__all__ = ["Management"]

_TIMEOUT = 10.0
_LONGEST_ANSWER = 64 << 20


class Management:
    """The management API at a URL such as `http://user:password@host:15672`.

    A URL without a login is asked with that of `broker`, whose virtual host is the one meant.
    Methods raise BrokerError when nothing of the kind answers there, or it refuses.
    """

    def __init__(self, url: str, broker: str, tls: Tls = PLAIN) -> None:
        parts, login = urlsplit(url), urlsplit(broker)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BrokerError(
                f"management URL {redacted(url)!r}: expected http://user:password@host:15672"
            )
        if parts.username:
            login = parts
        self._shown = redacted(url)
        self._at = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/api"
        user, password = unquote(login.username or "guest"), unquote(login.password or "guest")
        self._login = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        self._vhost = quote(unquote(urlsplit(broker).path[1:]) or "/", safe="")
        handlers: list[urllib.request.BaseHandler] = [_Here()]
        if parts.scheme == "https":
            handlers.append(urllib.request.HTTPSHandler(context=trust(tls)))
        self._opener = urllib.request.build_opener(*handlers)

    def bound(self, exchanges: Iterable[str]) -> set[str]:
        """The names of the queues that messages of these exchanges may come to."""
        found, seen, left = set[str](), set[str](), [*exchanges]
        while left:
            if (name := left.pop()) in seen:
                continue
            seen.add(name)
            listed = self._get(f"exchanges/{self._vhost}/{quote(name, safe='')}/bindings/source")
            for binding in listed if isinstance(listed, list) else []:
                destination = str(binding.get("destination"))
                if binding.get("destination_type") == "queue":
                    found.add(destination)
                else:
                    left.append(destination)
        return found

    def read(self, queue: str) -> Reading | None:
        """What a queue held and did when the broker last counted, every 5 s unless set otherwise;
        None if there is no such queue.
        """
        told = self._get(f"queues/{self._vhost}/{quote(queue, safe='')}")
        if not isinstance(told, dict):
            return None
        counted = told.get("message_stats")
        totals = counted if isinstance(counted, dict) else {}
        return Reading(
            QueueState(
                _count(told, "messages_ready"),
                _count(told, "messages_unacknowledged"),
                _count(told, "consumers"),
            ),
            Totals(
                _count(totals, "publish"),
                _count(totals, "deliver_get"),
                sum(_count(totals, name) for name in ("ack", "deliver_no_ack", "get_no_ack")),
            ),
        )

    def _get(self, path: str) -> Any:
        """The JSON there; None where there is nothing."""
        request = urllib.request.Request(f"{self._at}/{path}")
        request.add_unredirected_header("Authorization", self._login)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return json.loads(answer.read(_LONGEST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                why = "the login was refused" if error.code == 401 else f"status {error.code}"
                raise BrokerError(f"management {self._shown}: {why}") from None
        except (http.client.HTTPException, ValueError, RecursionError):
            raise BrokerError(
                f"management {self._shown}: no management API of RabbitMQ answers there"
            ) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            said = getattr(reason, "strerror", None) or reason
            raise BrokerError(f"management {self._shown}: {said}") from None


class _Here(urllib.request.HTTPRedirectHandler):
    """Follows no redirections: the login is for one host alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _count(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name, 0)
    return value if isinstance(value, int) else 0
