"""Behind a report over HTTP: single messages, other thresholds, any model asked, the words that decided, and people."""

from __future__ import annotations

import pytest

from feilun.project import Project

TEXT = "i want my money back"


def traffic(project: Project) -> dict[str, int]:
    return project.store.count_traffic(project.name)


def test_the_messages_behind_a_report_add_up_to_it(client, project):
    model_id = project.get_model()["model_id"]
    at, report = f"/v1/projects/support/models/{model_id}", project.report()
    page = client.get(f"{at}/examples", params={"limit": 1000}).json()
    n_wrong = sum(not one["correct"] for one in page["examples"])
    assert page["n_examples"] == page["n_found"] == len(page["examples"]) == report.n_holdout
    assert 1 - n_wrong / page["n_examples"] == pytest.approx(report.metrics["accuracy"].value)
    assert all(one["row"] and one["source"].endswith("messages.csv") for one in page["examples"])

    cells = client.get(f"{at}/confusion").json()["cells"]
    off = {(cell["gold"], cell["predicted"]): cell["count"] for cell in cells if cell["gold"] != cell["predicted"]}
    assert sum(off.values()) == n_wrong
    assert off == {(pair.gold, pair.predicted): pair.count for pair in report.confused}
    for (gold, predicted), count in off.items():
        found = client.get(f"{at}/examples", params={"gold": gold, "predicted": predicted}).json()
        assert found["n_found"] == count

    curve = client.get(f"{at}/thresholds").json()
    own = next(point for point in curve["points"] if point["threshold"] == curve["threshold"])
    assert own["n_answered"] / curve["n_examples"] == pytest.approx(report.thresholds.expected_answer_rate)


def test_an_older_model_says_that_its_messages_are_not_kept(client, project):
    model_id = project.get_model()["model_id"]
    project.store.judged_path(model_id).unlink()
    for what in ("examples", "confusion", "thresholds"):
        refused = client.get(f"/v1/projects/support/models/{model_id}/{what}")
        assert (refused.status_code, refused.json()["code"]) == (404, "evaluate.rows_not_kept")


def test_any_model_is_asked_without_becoming_traffic(client, project):
    before = traffic(project)
    models = [row["model_id"] for row in project.list_models()]
    assert len(models) == 2
    for model_id in models:
        said = client.post(f"/v1/projects/support/models/{model_id}/answers", json={"inputs": [{"text": TEXT}]}).json()
        assert said["model_id"] == model_id
        own = project.answers_of([TEXT], model_id=model_id)[0]
        assert (said["answers"][0]["label"], said["answers"][0]["confidence"]) == (own.label, own.confidence)
    why = client.post("/v1/projects/support/explanations", json={"inputs": {"text": TEXT}}).json()
    assert [TEXT[word["start"] : word["end"]] for word in why["words"]] == TEXT.split()
    assert traffic(project) == before
    assert (
        client.post("/v1/projects/support/models/m_none/answers", json={"inputs": [{"text": TEXT}]}).status_code == 404
    )


def test_an_explanation_says_what_the_model_does_without_each_word(client, project):
    champion = project.get_model()["model_id"]
    asked = {"inputs": {"text": TEXT}, "label": "refund", "model_id": champion}
    why = client.post("/v1/projects/support/explanations", json=asked).json()
    model = project.stage.model
    for word in why["words"]:
        without = TEXT[: word["start"]] + TEXT[word["end"] :]
        assert word["without"] == pytest.approx(
            float(model.scores([without])[2][0, model.labels.index("refund")]), abs=1e-3
        )
    assert client.post("/v1/projects/support/explanations", json=asked).json() == why
    refused = client.post("/v1/projects/support/explanations", json=asked | {"label": "no such"})
    assert (refused.status_code, refused.json()["code"]) == (422, "project.label_unknown")


def test_an_explanation_counts_as_the_messages_that_it_asks(client, project):
    client.post("/v1/projects/support/explanations", json={"inputs": {"text": TEXT}}).raise_for_status()
    project.store.writer.flush()
    (line,) = project.workspace.usage(by=("kind",))
    assert (line.kind, line.n_requests, line.n_inputs) == ("predict", 1, 1 + len(TEXT.split()))
    assert line.n_tokens > 0 and line.cpu_ms > 0


def test_a_second_opinion_waits_near_the_top_once_and_is_settled_by_a_label(client, project):
    before, queued = traffic(project), "/v1/projects/support/queue"
    first = client.post(queued, json={"inputs": {"text": TEXT}})
    assert first.status_code == 201
    assert client.post(queued, json={"inputs": {"text": TEXT}}).json() == first.json()
    row = client.get(queued).json()["queue"][0]
    assert (row["prediction_id"], row["inputs"]) == (first.json()["prediction_id"], {"text": TEXT})
    assert [one["code"] for one in row["why"]] == ["asked"]
    assert traffic(project) == before | {"open": before["open"] + 1}
    client.post("/v1/projects/support/feedback", json={"prediction_id": row["prediction_id"], "label": "refund"})
    assert TEXT not in [one["inputs"]["text"] for one in client.get(queued).json()["queue"]]


@pytest.mark.parametrize(
    "text", ["a\\u0000b", "🙂", "退款" * 5000, "ｒｅｆｕｎｄ　ｍｅ"],
    ids=["NUL", "no word", "10 000 characters", "full width"],
)  # fmt: skip
def test_every_text_is_answered_explained_and_queued(client, project, text):
    body = '{"inputs": %s}'
    for path, inputs in (
        (f"models/{project.get_model()['model_id']}/answers", f'[{{"text": "{text}"}}]'),
        ("explanations", f'{{"text": "{text}"}}'),
        ("queue", f'{{"text": "{text}"}}'),
    ):
        reply = client.post(
            f"/v1/projects/support/{path}", content=body % inputs, headers={"Content-Type": "application/json"}
        )
        assert reply.status_code in (200, 201), (path, reply.text)
    assert client.get("/v1/projects/support/queue").status_code == 200


def test_a_damaged_model_is_refused_and_says_so(client, project):
    other = next(row["model_id"] for row in project.list_models() if row["model_id"] != project.get_model()["model_id"])
    with (project.store.model_path(other) / "model.onnx").open("r+b") as file:
        file.write(b"x")
    refused = client.post(f"/v1/projects/support/models/{other}/answers", json={"inputs": [{"text": TEXT}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "bundle.damaged")
