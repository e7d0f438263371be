"""Traces reach a real collector: a span for each request and one for each part of it, without a word of anybody."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

import feilun
from feilun.config import ServeSettings
from feilun.project import Project
from feilun.serve.api import create_app
from tests.serve.api.conftest import running

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


class Collector:
    """Takes OTLP over HTTP on loopback, as a collector does."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
                bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spans(self) -> list[Any]:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        said = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [one for r in said for part in r.resource_spans for scope in part.scope_spans for one in scope.spans]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@contextmanager
def traced(project: Project, url: str) -> Iterator[str]:
    """A server that sends traces to `url`; what waits is sent when it stops."""
    settings = ServeSettings(traces=url)
    with running(create_app({project.name: project}, require_key=False, settings=settings)) as address:
        yield address


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_request_is_a_span_with_its_waiting_its_run_and_its_commit_in_it(project: Project, collector: Collector):
    with traced(project, collector.url) as address, httpx.Client(base_url=f"{address}/v1/projects/support") as client:
        asked = {"inputs": [{"text": "PLANTED where is my parcel"}]}
        said = {"inputs": {"text": "PLANTED hello"}, "label": "refund", "comment": "PLANTED"}
        headers = {"traceparent": PARENT, "tracestate": "x=PLANTED", "X-Request-Id": "r-1"}
        assert client.post("/predictions", json=asked, headers=headers).status_code == 200
        assert client.post("/feedback", json=said).status_code == 200
        assert client.get("/turns/PLANTED?q=PLANTED").status_code == 404
    spans = collector.spans()
    by_name = {span.name: span for span in spans}
    path = "/v1/projects/{name}"
    asking, giving = by_name[f"POST {path}/predictions"], by_name[f"POST {path}/feedback"]
    children = {
        name: sorted(one.name for one in spans if one.parent_span_id == span.span_id) for name, span in by_name.items()
    }
    assert children[asking.name] == ["engine.run", "engine.wait"]
    assert "store.commit" in children[giving.name]
    assert (asking.trace_id.hex(), asking.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    assert attributes(asking) == {
        "http.request.method": "POST",
        "http.route": f"{path}/predictions",
        "http.response.status_code": 200,
        "feilun.request_id": "r-1",
    }
    assert attributes(by_name[f"GET {path}/turns/{{turn_id}}"])["http.response.status_code"] == 404
    for span in spans:
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    assert by_name["engine.wait"].end_time_unix_nano <= by_name["engine.run"].start_time_unix_nano
    assert b"PLANTED" not in b"".join(collector.bodies)


def test_a_collector_that_is_away_costs_no_answer_and_no_word_in_the_log(project: Project, collector: Collector):
    collector.close()
    with traced(project, collector.url) as address:
        for _ in range(3):
            body = {"inputs": [{"text": "where is my parcel"}]}
            assert httpx.post(f"{address}/v1/projects/support/predictions", json=body).status_code == 200


def test_when_off_nothing_is_loaded_whatever_the_environment_says(tmp_path: Path):
    code = (
        "import sys; from feilun.config import ServeSettings; from feilun.serve.api import create_app\n"
        "create_app({}, require_key=False, settings=ServeSettings())\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    environment = {
        "PYTHONPATH": str(Path(feilun.__file__).parents[1]),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_TRACES_EXPORTER": "otlp",
    }
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("url", ["127.0.0.1:4318", "ftp://x/y", "http://", "http://x y/", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(ValueError, match="traces"):
        ServeSettings(traces=url)
