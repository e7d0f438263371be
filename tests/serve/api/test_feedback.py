"""What people say is kept, understood, and bites."""

from __future__ import annotations

import time

from feilun.project import Project
from feilun.records import LabelDoubt, LabelDoubts
from feilun.store import tables
from feilun.store.chain import Unaudited
from tests.bundles import MESSAGES

AT = "/v1/projects/support"
MESSAGE = "where is my parcel"


def ask(client, text=MESSAGE) -> dict:
    return (
        client.post(f"{AT}/predictions", json={"inputs": [{"text": text}]}).raise_for_status().json()["predictions"][0]
    )


def say(client, *, key: str | None = None, **body):
    return client.post(f"{AT}/feedback", json=body, headers={"Idempotency-Key": key} if key is not None else {})


def other_than(answer: dict, project: Project) -> str:
    return next(label for label in project.labels() if label != answer["label"])


def test_a_correction_decides_the_very_next_answer(client, project):
    answer = ask(client)
    right = other_than(answer, project)
    said = say(client, prediction_id=answer["prediction_id"], label=right).json()
    assert said == {
        "feedback_id": said["feedback_id"],
        "replayed": False,
        "labels": [right],
        "new_label": False,
        "hint": None,
    }
    again = ask(client)
    assert (again["label"], again["reason"], again["decision"]) == (right, "memory", "answer")


def test_a_correction_given_in_another_process_bites_within_a_second(client, project):
    answer = ask(client)
    right = other_than(answer, project)
    time.sleep(0.1)  # the prediction is written in the background
    with Project(project.folder) as elsewhere:  # a store, a writer and a stage of its own
        elsewhere.give_feedback(prediction_id=answer["prediction_id"], label=right)
    given_at = time.monotonic()
    while ask(client)["label"] != right:
        assert time.monotonic() - given_at < 1
        time.sleep(0.05)


def test_a_key_counts_once_and_another_body_under_it_is_refused(client, project):
    answer = ask(client)
    said = {"prediction_id": answer["prediction_id"], "label": "refund"}
    first = say(client, key="k-1", **said).json()
    assert say(client, key="k-1", **said).json() == first | {"replayed": True}
    refused = say(client, key="k-1", **said | {"comment": "and more"})
    assert (refused.status_code, refused.json()["code"]) == (422, "feedback.idempotency_conflict")
    assert say(client, key="k-2", **said).json()["replayed"] is False
    assert len(project.list_feedback()) == 2


def test_a_new_label_is_taken_and_said_to_be_new(client, project):
    typo = project.labels()[0] + "x"
    said = say(client, prediction_id=ask(client)["prediction_id"], label=typo).json()
    assert (said["labels"], said["new_label"], said["hint"]) == ([typo], True, project.labels()[0])


def test_feedback_that_cannot_be_used_is_refused_and_nothing_is_kept(client, project):
    prediction_id = ask(client)["prediction_id"]
    cases = [
        ({"prediction_id": prediction_id}, 422, "feedback.empty"),
        ({"label": "refund"}, 422, "feedback.homeless"),
        ({"prediction_id": "p_404", "label": "refund"}, 404, "store.not_found"),
        ({"prediction_id": "", "label": "refund"}, 422, "request.invalid"),
        ({"prediction_id": prediction_id, "thumb": "sideways"}, 422, "request.invalid"),
        ({"prediction_id": prediction_id, "label": 7}, 422, "request.invalid"),
        ({"prediction_id": prediction_id, "label": ["refund", "delivery"]}, 422, "feedback.invalid"),
        ({"prediction_id": prediction_id, "label": "a\u0000b"}, 422, "feedback.invalid"),
        ({"prediction_id": prediction_id, "comment": "x" * 20_001}, 422, "feedback.invalid"),
        ({"prediction_id": prediction_id, "comment": "ok", "stars": 5}, 422, "request.invalid"),
        ({"inputs": {"text": " "}, "label": "refund"}, 422, "request.invalid"),
    ]
    for body, status, code in cases:
        refused = say(client, **body)
        assert (refused.status_code, refused.json()["code"]) == (status, code), body
    refused = say(client, key="k" * 256, prediction_id=prediction_id, label="refund")
    assert (refused.status_code, refused.json()["fields"]["field"]) == (422, "Idempotency-Key")
    assert project.list_feedback() == []


def test_the_log_is_read_page_by_page(client):
    ids = [say(client, inputs={"text": f"message {n}"}, label="refund").json()["feedback_id"] for n in range(5)]
    seen, after = [], 0
    while after is not None:
        page = client.get(f"{AT}/feedback", params={"after": after, "limit": 2}).json()
        seen += [row["feedback_id"] for row in page["feedback"]]
        after = page["next_after"]
    assert seen == ids
    for wrong in ({"after": -1}, {"limit": 0}, {"limit": 1001}, {"after": "x"}, {"after": 2**64}):
        assert client.get(f"{AT}/feedback", params=wrong).status_code == 422


def test_the_log_is_read_backwards_page_by_page(client):
    for n in range(5):
        client.post(f"{AT}/feedback", json={"inputs": {"text": f"message {n}"}, "label": "refund"})
    found, before = [], None
    while True:
        params = {"latest": True, "limit": 2} | ({} if before is None else {"before": before})
        page = client.get(f"{AT}/feedback", params=params).json()
        found += [row["inputs"]["text"] for row in page["feedback"]]
        assert page["next_after"] is None
        before = page["next_before"]
        if before is None:
            break
    assert found == [f"message {n}" for n in (4, 3, 2, 1, 0)]


def test_the_queue_asks_what_was_disliked_until_it_is_labelled_or_skipped(client):
    first, second = ask(client, "我的包裹在哪里"), ask(client, "please cancel the order")
    for answer in (first, second):
        say(client, prediction_id=answer["prediction_id"], thumb="down")
    queue = client.get(f"{AT}/queue").json()
    assert {row["prediction_id"] for row in queue["queue"]} == {first["prediction_id"], second["prediction_id"]}
    assert queue["n_waiting"] == 2
    say(client, prediction_id=first["prediction_id"], label="delivery")
    assert client.post(f"{AT}/queue/{second['prediction_id']}/skip").status_code == 204
    assert client.get(f"{AT}/queue").json() == {"queue": [], "n_waiting": 0}
    assert client.post(f"{AT}/queue/p_404/skip").status_code == 404


def test_two_people_at_once_never_get_the_same_message(client):
    for text in ("where is my parcel", "i want a refund", "my card was eaten", "hello there"):
        say(client, prediction_id=ask(client, text)["prediction_id"], thumb="down")
    first = client.post(f"{AT}/queue/desks/anns-desk", params={"limit": 2}).json()
    second = client.post(f"{AT}/queue/desks/bos-desk-1", params={"limit": 10}).json()
    taken = [{row["example_id"] for row in page["queue"]} for page in (first, second)]
    assert (len(taken[0]), len(taken[1]), first["n_waiting"]) == (2, 2, 4) and not taken[0] & taken[1]
    assert len(client.get(f"{AT}/queue").json()["queue"]) == 4  # who only looks sees all
    assert client.delete(f"{AT}/queue/desks/anns-desk").status_code == 204
    third = client.post(f"{AT}/queue/desks/bos-desk-1", params={"limit": 10}).json()
    assert {row["example_id"] for row in third["queue"]} == taken[0] | taken[1]
    assert client.post(f"{AT}/queue/desks/a%20desk%20of%20mine").status_code == 422


def test_messages_that_mean_much_the_same_come_nearest_first_and_lie_on_the_desk_that_asked(client):
    # for a random network, the same words in another order are what comes near
    alike = ("is my parcel where", "my parcel where is it")
    others = ("i want a refund", "hello there", "my card was eaten by the machine", "please cancel the order")
    answers = {text: ask(client, text)["prediction_id"] for text in ("where is my parcel", *alike, *others)}
    for prediction_id in answers.values():
        say(client, prediction_id=prediction_id, thumb="down")
    similar = f"{AT}/queue/desks/anns-desk/similar"
    asked = {"prediction_id": answers["where is my parcel"]}
    rows = client.post(similar, params=asked).json()["similar"]
    assert [row["inputs"]["text"] for row in rows] == list(alike)
    assert [row["is_sure"] for row in rows] == [True, False] and rows[0]["similarity"] > rows[1]["similarity"]
    assert len(client.post(similar, params=asked | {"limit": 1}).json()["similar"]) == 1
    assert client.post(f"{AT}/queue/desks/bos-desk-1/similar", params=asked).json()["similar"] == []
    for row in rows:
        say(client, prediction_id=row["prediction_id"], label="delivery")
    assert client.post(similar, params=asked).json()["similar"] == []
    assert client.post(similar, params={"prediction_id": "p_404"}).status_code == 404


def test_a_doubtful_label_is_shown_until_feedback_with_its_message_settles_it(client, project):
    rows = [f"{text} {n},{label}" for label, texts in MESSAGES.items() for text in texts for n in range(4)]
    (project.folder.parent / "messages.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    row = project._build()[0].train[0]
    doubt = LabelDoubt(
        example_id=row.example_id, source=row.source, given=row.target, suggested=("made_up",), score=0.03
    )
    model_id = project.list_turns()[0]["model_id"]
    found = LabelDoubts(n_judged=40, n_doubtful=1, doubts=(doubt,))
    report = project.report(model_id).model_copy(update={"label_doubts": found}).model_dump(mode="json")
    update = tables.models.update().where(tables.models.c.model_id == model_id).values(report=report)
    project.store.writer.write(lambda connection: connection.execute(update), audit=Unaudited("by hand"))
    shown = client.get(f"{AT}/doubts").json()["doubts"]
    assert shown == [
        {
            "example_id": row.example_id,
            "inputs": row.inputs,
            "source": row.source,
            "row": row.row,
            "labels": list(row.target),
            "suggested": ["made_up"],
            "score": 0.03,
        }
    ]
    assert client.get(f"{AT}/models/{model_id}/report").json()["label_doubts"]["n_doubtful"] == 1
    for lang, word in (("en", "is labelled"), ("zh", "的标签是")):
        [asked] = client.get(f"{AT}/queue", headers={"Accept-Language": lang}).json()["queue"]
        assert (asked["prediction_id"], asked["confidence"], asked["reason"]) == (None, None, "label_doubt")
        assert (asked["inputs"], asked["given"], asked["labels"]) == (row.inputs, list(row.target), ["made_up"])
        [suggested] = client.get(f"{AT}/suggestions?limit=4", headers={"Accept-Language": lang}).json()["suggestions"]
        assert (suggested["source"], suggested["example_id"]) == ("doubt", row.example_id)
        assert word in asked["why"][0]["text"] and suggested["why"][0] == asked["why"][0]
    assert client.get(f"{AT}/suggestions?limit=3").json()["suggestions"] == []  # a quarter of them at most
    say(client, inputs=shown[0]["inputs"], label=shown[0]["labels"][0]).raise_for_status()
    assert client.get(f"{AT}/doubts").json() == {"doubts": []}
    assert client.get(f"{AT}/queue").json() == {"queue": [], "n_waiting": 0}
    assert client.get(f"{AT}/doubts", params={"limit": 0}).status_code == 422


def test_suggestions_are_answers_nobody_spoke_on_until_they_are_labelled(client, project):
    answer = ask(client, "cancel my parcel order please")
    project.store.writer.flush()  # predictions before this one are written
    batch = client.get(f"{AT}/suggestions", params={"limit": 5, "strategy": "margin"}).json()
    [row] = [row for row in batch["suggestions"] if row["prediction_id"] == answer["prediction_id"]]
    assert row["inputs"] == {"text": "cancel my parcel order please"}
    assert (batch["strategy"], batch["model_id"]) == ("margin", answer["model_version"])
    assert row["labels"] == answer["labels"] and row["why"][0]["text"].isascii()
    chinese = client.get(f"{AT}/suggestions", headers={"Accept-Language": "zh"}).json()["suggestions"]
    assert all(not reason["text"].isascii() for one in chinese for reason in one["why"])
    say(client, inputs=row["inputs"], label="refund")
    left = client.get(f"{AT}/suggestions").json()["suggestions"]
    assert row["example_id"] not in {one["example_id"] for one in left}
    for wrong in ({"strategy": "magic"}, {"limit": 0}, {"limit": 1001}):
        assert client.get(f"{AT}/suggestions", params=wrong).status_code == 422


def test_a_row_of_the_queue_says_why_it_waits_in_the_callers_language(client):
    say(client, prediction_id=ask(client)["prediction_id"], thumb="down")
    seen = [client.get(f"{AT}/queue", headers={"Accept-Language": lang}).json()["queue"][0] for lang in ("en", "zh")]
    assert [row["why"] for row in seen] == [
        [{"code": "disliked", "text": "Somebody disliked the answer."}],
        [{"code": "disliked", "text": "有人不满意这个回答。"}],
    ]


def test_without_a_model_there_are_no_suggestions_but_a_reason(serve, bare_project):
    refused = serve(bare_project).get("/v1/projects/bare/suggestions")
    assert (refused.status_code, refused.json()["code"]) == (503, "serve.not_ready")
