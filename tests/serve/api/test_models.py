"""Projects, models, reports and releases over HTTP."""

from __future__ import annotations

AT = "/v1/projects/support"


def release(client, **body):
    return client.post(f"{AT}/releases", json=body)


def test_a_project_tells_what_it_knows_and_who_answers(client, project):
    champion = project.store.find_champion("support")
    listed = client.get("/v1/projects").json()["projects"]
    assert listed == [
        {
            "name": "support",
            "task": "classify",
            "language": "en",
            "is_multi_label": False,
            "is_ready": True,
            "champion": champion,
            "labels": list(project.labels()),
        }
    ]
    client.post(f"{AT}/predictions", json={"inputs": [{"text": "x"}]})
    seen = client.get(AT).json()
    assert seen == listed[0] | {
        "traffic": seen["traffic"],
        "n_new_labels": 0,
        "turn_id": None,
        "turn_is_requested": False,
        "turn_is_paused": False,
    }
    client.post(f"{AT}/feedback", json={"inputs": {"text": "x"}, "label": "refund"})
    assert client.get(AT).json()["n_new_labels"] == 1
    assert client.get("/v1/projects/none").json()["code"] == "project.unknown"


def test_models_and_their_reports_are_read(client, project):
    models = client.get(f"{AT}/models").json()["models"]
    assert [model["model_id"] for model in models] == [model["model_id"] for model in project.list_models()]
    assert [model["model_id"] for model in models if model["is_champion"]] == [project.store.find_champion("support")]
    assert client.get(f"{AT}/models/{models[0]['model_id']}").json() == models[0]
    report = client.get(f"{AT}/models/{models[0]['model_id']}/report").json()
    assert report["metrics"]["accuracy"]["value"] == models[0]["metrics"]["accuracy"]
    for path in ("m_404", "m_404/report"):
        refused = client.get(f"{AT}/models/{path}")
        assert (refused.status_code, refused.json()["code"]) == (404, "store.not_found")


def test_a_promotion_and_a_roll_back_are_live_at_once_and_in_the_log(client, project):
    first = project.store.find_champion("support")
    second = next(model["model_id"] for model in project.list_models() if model["model_id"] != first)

    def answering() -> str:
        answer = client.post(f"{AT}/predictions", json={"inputs": [{"text": "x"}]}).json()["predictions"][0]
        return answer["model_version"]

    promoted = release(client, action="promote", model_id=second, override=True, reason="for the test")
    assert promoted.status_code == 201
    assert promoted.json()["previous_model_id"] == first
    assert answering() == second
    back = release(client, action="rollback", reason="so that we see it")
    assert (back.status_code, back.json()["model_id"]) == (201, first)
    assert answering() == first
    log = client.get(f"{AT}/releases", headers={"Accept-Language": "zh"}).json()["releases"]
    assert [row["action"] for row in log[:2]] == ["rollback", "promote"]
    assert log[0]["actor"] == "loopback"
    assert "回滚" in log[0]["reason"]


def test_a_release_that_cannot_be_is_refused_and_not_logged(client, project):
    before = project.list_releases()
    cases = [
        ({"action": "promote"}, 422, "request.invalid"),
        ({"action": "demote"}, 422, "request.invalid"),
        ({"action": "promote", "model_id": "m_404"}, 404, "store.not_found"),
        ({"action": "promote", "model_id": "../../etc"}, 404, "store.not_found"),
        ({"action": "rollback"}, 404, "release.nothing_to_roll_back"),
    ]
    for body, status, code in cases:
        refused = release(client, **body)
        assert (refused.status_code, refused.json()["code"]) == (status, code), body
    assert project.list_releases() == before
