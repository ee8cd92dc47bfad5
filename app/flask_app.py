"""Flask, without what this application never uses and every request would pay for."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from app.forms import FormRequest

Environ = dict[str, Any]
"""A request as WSGI gives it (PEP 3333)."""
Direct = Callable[[Environ], Response]
"""Answers a request from its environ alone, outside of any context; may raise."""


class FlowPulse(Flask):
    """The application. What is left out took a twelfth of an accepted event's time."""

    request_class = FormRequest

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.direct: dict[str, Direct] = {}
        """What answers a POST to exactly this path, past routing, contexts, hooks and signals.

        They take longer than all that FlowPulse itself does with an event. The path has its rule
        as well, for whatever else comes to it; errors take the same door as everywhere.
        """

    def wsgi_app(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        view = self.direct.get(environ["PATH_INFO"])
        if view is None or environ["REQUEST_METHOD"] != "POST":
            return super().wsgi_app(environ, start_response)
        try:
            answer = view(environ)
        except Exception as error:
            context = self.request_context(environ)
            context.url_adapter = None  # Which rule it would have taken, nobody asks.
            with context:
                answer = self.make_response(self.handle_user_exception(error))
        return answer(environ, start_response)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or hook is async: Flask would find that out anew at each call."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """No route depends on the host, a subdomain or a WebSocket: the address alone decides."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        request.host = host = get_host(environ, request.trusted_hosts)
        return MapAdapter(
            self.url_map,
            server_name=host,
            script_name=_decode(environ.get("SCRIPT_NAME", "")).rstrip("/") + "/",
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=_decode(environ["PATH_INFO"]),
            default_method=environ["REQUEST_METHOD"],
            query_args=environ.get("QUERY_STRING", ""),
        )


def _decode(text: str) -> str:
    """WSGI holds bytes as Latin-1 (PEP 3333); addresses are UTF-8."""
    return text if text.isascii() else text.encode("latin1").decode("utf-8", "replace")
