"""Ten thousand requests that nobody would write, over the whole OpenAPI document: no bug shows, no reply lies."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import httpx
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from feilun.config import ServeSettings
from feilun.project import Project
from feilun.serve.api import create_app
from tests.hardening.sizes import by_day_or_night
from tests.serve.api.conftest import Examiner, running

schemathesis = pytest.importorskip("schemathesis")
pytestmark = [pytest.mark.journey, pytest.mark.filterwarnings("ignore")]
N_CASES = by_day_or_night(10_000, 100_000)
SEED = 20
AT_FAULT_BY_DESIGN = (503, 507)  # too busy, or the disk is full: both declared, both with a way out
# Each valid one starts a trial of seconds in a process of its own.
COSTLY = {"GET /v1/projects/{name}/preflight": 5}
SECRETS = re.compile(r"Traceback|File \"/|site-packages|sqlalchemy|SELECT .* FROM|INSERT INTO|/src/feilun/", re.DOTALL)


class Fuzzed:
    """A server, what its document promises, and what has come of it so far."""

    def __init__(self, project: Project, app: Any, url: str) -> None:
        self.url, self.home = url, str(project.folder)
        self.session, self.examine, self.statuses = requests.Session(), Examiner(app), Counter[int]()
        self.names = {
            "name": [project.name],
            "model_id": [row["model_id"] for row in project.list_models()],
            "turn_id": [row["turn_id"] for row in project.list_turns()],
        }

    def ask(self, case: Any, known: dict[str, str]) -> None:
        """Send one case, with ids that exist in the place of some, and hold the reply against the document."""
        case.path_parameters = {**(case.path_parameters or {}), **known}
        for name in list(case.headers or ()):
            if name.lower() in ("accept", "connection", "transfer-encoding", "content-length"):
                del case.headers[name]  # a stream of events has no end, and framing is not what is asked about here
        said = case.as_transport_kwargs(base_url=self.url)
        reply = self.session.request(**said, timeout=20, allow_redirects=False)
        self.statuses[reply.status_code] += 1
        assert reply.status_code < 500 or reply.status_code in AT_FAULT_BY_DESIGN, reply.text
        assert not SECRETS.search(reply.text) and self.home not in reply.text, reply.text[:500]
        self.examine(
            httpx.Response(
                reply.status_code,
                headers={name: value for name, value in reply.headers.items() if name.lower() != "content-encoding"},
                content=reply.content,
                request=httpx.Request(str(reply.request.method), str(reply.request.url)),
            )
        )


def known_ids(fuzzed: Fuzzed, path: str) -> st.SearchStrategy[dict[str, str]]:
    """Ids that exist for some of the places in a path; the others keep what was made up."""
    places = [place for place in re.findall(r"\{(\w+)\}", path) if fuzzed.names.get(place)]
    return st.fixed_dictionaries({}, optional={place: st.sampled_from(fuzzed.names[place]) for place in places})


def fuzz(operation: Any, mode: Any, *, n: int, fuzzed: Fuzzed) -> None:
    @seed(SEED)
    @hypothesis_settings(
        max_examples=n, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=known_ids(fuzzed, operation.path))
    def every_case(case: Any, known: dict[str, str]) -> None:
        fuzzed.ask(case, known)

    try:
        every_case()
    except Unsatisfiable:  # a route without parameters and body cannot be asked wrongly
        assert mode is schemathesis.GenerationMode.NEGATIVE and operation.method in ("get", "delete")


def test_ten_thousand_requests_show_no_bug_and_every_reply_is_as_documented(project: Project) -> None:
    app = create_app({project.name: project}, require_key=False, settings=ServeSettings())
    operations = [found.ok() for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in app.openapi()["paths"].values())
    right, wrong = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    shares = {right: 0.6, wrong: 0.4}  # a wrong request takes three times as long to think of
    with running(app) as url:
        fuzzed = Fuzzed(project, app, url)
        for operation in operations:
            for mode, share in shares.items():
                n = COSTLY.get(operation.label, round(share * N_CASES / len(operations)))
                fuzz(operation, mode, n=n, fuzzed=fuzzed)
        # Some routes have fewer ways of being asked than their share; the busiest one takes the rest.
        fuzz(operations[0], right, n=max(1, N_CASES - fuzzed.statuses.total()), fuzzed=fuzzed)
        assert requests.get(f"{url}/ready", timeout=20).status_code == 200
    assert fuzzed.statuses.total() >= N_CASES and fuzzed.statuses[200] > N_CASES / 20, fuzzed.statuses
