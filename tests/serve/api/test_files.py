"""Files are handed over, looked at, made a project of and added to one; what is wrong with them is said."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import openpyxl
import pytest

from feilun.config import ServeSettings, load_settings
from feilun.project import Project, Uploads, sample_path
from feilun.project.uploads import MOST_WAITING
from feilun.serve.api import create_app
from feilun.serve.api.house import Grounds
from feilun.store import Store

ROWS = "text,label\n" + "".join(f"where is parcel {n},delivery\ni want my money {n},refund\n" for n in range(10))


@pytest.fixture
def grounds(tmp_path: Path):
    root = tmp_path / "projects"
    root.mkdir()
    with Store(root / ".feilun") as store:
        founded: list[Project] = []
        yield Grounds(root, store, founded.append)
        for project in founded:
            project.close()


@pytest.fixture
def empty(serve, grounds: Grounds) -> httpx.Client:
    """A server of a folder in which there is no project yet."""
    return serve(app=create_app({}, require_key=False, settings=ServeSettings(max_upload_mb=0.1), grounds=grounds))


def hand_over(client: httpx.Client, content: bytes | str, name: str = "may.csv") -> httpx.Response:
    return client.post("/v1/uploads", params={"filename": name}, content=content)


def test_from_a_file_to_a_project_and_more_data(empty: httpx.Client, grounds: Grounds):
    assert empty.get("/v1/projects").json() == {"projects": []}
    assert empty.get("/ready").json()["ready"] and empty.get("/v1/machine").json()["can_found"]
    seen = hand_over(empty, ROWS, "../../五月.csv").json()
    assert (seen["name"], seen["format"], seen["columns"], seen["n_rows"]) == ("五月.csv", "csv", ["text", "label"], 20)
    assert (seen["text"], seen["label"], seen["language"], seen["trouble"]) == ("text", "label", "en", None)
    assert seen["labels"] == [{"label": "delivery", "n": 10}, {"label": "refund", "n": 10}]
    made = empty.post("/v1/projects", json={"name": "support", "upload_id": seen["upload_id"], "budget_s": 30})
    assert made.status_code == 201 and made.json()["name"] == "support"
    assert empty.get(f"/v1/uploads/{seen['upload_id']}").status_code == 404  # it was used
    folder = grounds.root / "support"
    settings = load_settings(folder)
    assert (settings.train.budget_s, settings.data.sources[0].path) == (30, "data/messages.csv")
    assert (folder / "data/messages.csv").read_text() == ROWS
    more = hand_over(empty, "text,label\n" + "my card was eaten,card\n" * 3, "june.csv").json()
    added = empty.post("/v1/projects/support/data", json={"upload_id": more["upload_id"]})
    assert added.status_code == 201
    report = empty.get("/v1/projects/support/data").json()
    assert (report["n_rows"], report["n_exact_duplicates"]) == (23, 2)
    assert set(report["class_counts"]) | set(report["holdout_counts"]) == {"card", "delivery", "refund"}
    assert empty.post("/v1/projects/support/turns", json={}).status_code == 202
    told = [row["action"] for row in empty.get("/v1/audit").json()["audit"]]
    assert {"project.founded", "data.added"} <= set(told)


def test_the_sample_is_a_project_at_once(empty: httpx.Client):
    for language in ("en", "zh"):
        made = empty.post("/v1/projects", json={"name": f"sample-{language}", "sample": language})
        assert made.status_code == 201 and made.json()["language"] == language
        assert (sample_path(language).parent / "README.md").is_file()  # its licence and source
    again = empty.post("/v1/projects", json={"name": "sample-en", "sample": "en"})
    assert (again.status_code, again.json()["code"]) == (409, "project.exists")


def test_a_sheet_is_read_and_other_columns_may_be_said(empty: httpx.Client, tmp_path: Path):
    book = openpyxl.Workbook()
    book.active.append(["内容", "类别", "备注"])
    for n in range(8):
        book.active.append([f"我的包裹在哪里 {n}", "物流", "甲"])
        book.active.append([f"我要退款 {n}", "退款", "乙"])
    book.save(tmp_path / "a.xlsx")
    seen = hand_over(empty, (tmp_path / "a.xlsx").read_bytes(), "工单.xlsx").json()
    assert (seen["format"], seen["text"], seen["label"], seen["language"]) == ("xlsx", "内容", "类别", "zh")
    at = f"/v1/uploads/{seen['upload_id']}"
    other = empty.get(at, params={"text": "内容", "label": "备注"}).json()
    assert [one["label"] for one in other["labels"]] == ["乙", "甲"] or len(other["labels"]) == 2
    missing = empty.get(at, params={"label": "没有"}, headers={"Accept-Language": "zh"}).json()
    assert "没有" in missing["trouble"] and missing["columns"] == ["内容", "类别", "备注"]
    assert empty.delete(at).status_code == 204
    assert empty.delete(at).status_code == 404


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "a.csv", "data.empty_file"),
        (b"%PDF-1.7 and more", "a.pdf", "data.unknown_format"),
        (b"PK\x03\x04" + b"\0" * 40, "a.xlsx", "data.file_broken"),
        (b"x" * 200_000, "a.csv", "upload.too_large"),
    ],
)
def test_what_cannot_be_used_is_told_and_not_kept(empty: httpx.Client, grounds: Grounds, content, name, code):
    refused = hand_over(empty, content, name)
    assert refused.status_code in (413, 422) and refused.json()["code"] == code, refused.text
    assert str(grounds.root) not in refused.text
    assert list((grounds.root / ".feilun" / "uploads").iterdir()) == []


def test_a_name_that_no_address_can_hold_and_half_a_wish_are_refused_and_nothing_is_made(empty, grounds: Grounds):
    upload_id = hand_over(empty, ROWS).json()["upload_id"]
    for name in ("../x", "a b", "-a", "包裹", ".feilun"):
        refused = empty.post("/v1/projects", json={"name": name, "upload_id": upload_id})
        assert (refused.status_code, refused.json()["code"]) == (422, "project.name_unusable"), name
    for wish, problem in (
        ({}, "is needed"),
        ({"upload_id": upload_id, "sample": "en"}, "cannot be given beside sample"),
    ):
        refused = empty.post("/v1/projects", json={"name": "a", **wish}, headers={"Accept-Language": "en"})
        assert refused.status_code == 422 and problem in refused.text
    nobody = empty.post("/v1/projects", json={"name": "a", "upload_id": upload_id, "tenant": "nobody"})
    assert nobody.status_code in (404, 422) and nobody.json()["code"] == "tenant.unknown"
    assert [path.name for path in grounds.root.iterdir()] == [".feilun"]
    assert empty.get(f"/v1/uploads/{upload_id}").status_code == 200  # it waits still


def test_only_so_many_files_wait(empty: httpx.Client):
    kept = [hand_over(empty, ROWS).status_code for _ in range(MOST_WAITING + 1)]
    assert kept == [201] * MOST_WAITING + [409]


def test_a_server_of_one_project_makes_no_other(client: httpx.Client):
    refused = client.post("/v1/projects", json={"name": "other", "sample": "en"})
    assert (refused.status_code, refused.json()["code"]) == (409, "project.founding_elsewhere")


def test_files_that_nobody_came_back_for_are_removed(tmp_path: Path):
    import os

    uploads = Uploads(tmp_path)
    old = uploads.begin("a.csv", tenant="house")
    old.path.write_text(ROWS)
    uploads.finish(old)
    os.utime(old.path.parent, (0, 0))
    uploads.begin("b.csv", tenant="house")
    assert not old.path.exists()
    assert json.dumps([one.upload_id for one in uploads.waiting(tenant="house")]) == "[]"
