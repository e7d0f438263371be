"""Jobs, backups, the doctor and a project's settings over HTTP."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import httpx

from feilun.config import load_settings
from feilun.project import Project
from feilun.store.verbs import new_id
from tests.serve.api.shop import MARK, OURS, Shop

PROXIED = {"X-Forwarded-For": "203.0.113.9"}
SETTINGS = "/v1/projects/support/settings"


def bearer(secret: str) -> dict[str, str]:
    return PROXIED | {"Authorization": f"Bearer {secret}"}


def made(client: httpx.Client) -> dict:
    """A backup, once it is done."""
    begun = client.post("/v1/backups")
    assert begun.status_code == 202 and begun.json()["state"] == "running"
    while (row := client.get("/v1/backups").json()["backups"][0])["state"] == "running":
        time.sleep(0.02)
    assert row["backup_id"] == begun.json()["backup_id"]
    return row


def test_a_backup_is_made_listed_fetched_restored_and_deleted(client: httpx.Client, project: Project, tmp_path: Path):
    row = made(client)
    assert row["state"] == "done" and row["projects"] == ["support"]
    at = f"/v1/backups/{row['backup_id']}"
    fetched = client.get(f"{at}/archive", headers={"Range": "bytes=0-9"})
    assert fetched.status_code == 200 and fetched.headers["content-type"] == "application/zip"
    assert int(fetched.headers["content-length"]) == row["size"] == len(fetched.content)
    assert hashlib.sha256(fetched.content).hexdigest() == row["sha256"]
    assert fetched.headers["content-disposition"] == f'attachment; filename="feilun-{row["backup_id"]}.zip"'
    (tmp_path / "fetched.zip").write_bytes(fetched.content)
    assert Project.restore(tmp_path / "fetched.zip", tmp_path / "restored").projects == ("support",)
    assert client.delete(at).status_code == 204
    assert client.get(f"{at}/archive").status_code == client.delete(at).status_code == 404
    told = [entry["action"] for entry in client.get("/v1/audit?limit=1000").json()["audit"]]
    assert told[-3:] == ["backup.made", "backup.fetched", "backup.removed"]


def test_while_one_is_made_another_is_refused_and_it_is_a_job(client: httpx.Client, project: Project):
    from feilun.operate import KeptBackups

    begun = KeptBackups(project.store).begin(new_id("bk"), actor="ann")
    refused = client.post("/v1/backups")
    assert (refused.status_code, refused.json()["code"]) == (409, "backup.under_way")
    (job,) = client.get("/v1/jobs").json()["jobs"]
    assert (job["kind"], job["job_id"], job["by"], job["may_cancel"]) == ("backup", begun.backup_id, "ann", False)


def test_jobs_tell_what_is_asked_for_and_at_work(client: httpx.Client, project: Project):
    assert client.get("/v1/jobs").json() == {"jobs": []}
    client.post("/v1/projects/support/turns", json={"note": "after the import"})
    (asked,) = client.get("/v1/jobs").json()["jobs"]
    assert (asked["kind"], asked["state"], asked["note"]) == ("turn_request", "waiting", "after the import")
    turn = project.store.add_turn("support", settings={}, seed=0, budget_s=9, requested_by="ann")
    project.store.add_event("support", kind="step.start", data={"step": "train"}, turn_id=turn["turn_id"])
    project.store.writer.flush()
    (job,) = client.get("/v1/jobs").json()["jobs"]
    assert (job["kind"], job["state"], job["step"], job["by"]) == ("turn", "running", "train", "ann")
    assert client.post(f"/v1/projects/support/turns/{job['job_id']}/cancel").status_code == 200
    assert client.get("/v1/jobs").json() == {"jobs": []}


def test_a_tenant_sees_its_own_jobs_and_no_backup(serve, shop: Shop):
    client = serve(*shop.projects.values())
    for reach in ({"tenant": OURS}, {"project": shop.ours.project}):
        jobs = client.get("/v1/jobs", headers=bearer(shop.key(role="owner", **reach))).json()["jobs"]
        assert {job["project"] for job in jobs} == {shop.ours.project} and MARK not in str(jobs)
    maintainer = bearer(shop.key(role="maintainer"))  # the operator's, but not an owner: an archive holds everything
    assert {job["project"] for job in client.get("/v1/jobs", headers=maintainer).json()["jobs"]} > {shop.ours.project}
    assert client.get("/v1/backups", headers=maintainer).status_code == 403
    assert client.get("/v1/doctor", headers=maintainer).status_code == 200


def test_the_doctor_speaks_the_caller_s_language_and_names_no_folder(client: httpx.Client, project: Project):
    (project.store.workspace / "datasets" / "left.partial").write_text("half")
    told = {lang: client.get("/v1/doctor", headers={"Accept-Language": lang}) for lang in ("en", "zh")}
    findings = {lang: {one["code"]: one for one in reply.json()["findings"]} for lang, reply in told.items()}
    assert told["en"].json()["n_problems"] == 0
    assert (
        findings["en"]["leftovers.some"]["level"] == "notice"
        and "left.partial" in findings["en"]["leftovers.some"]["found"]
    )
    assert findings["zh"]["database.whole"]["found"] == "数据库通过了 SQLite 的完整性检查。"
    assert str(project.folder) not in told["en"].text


def test_settings_are_read_and_changed_with_an_etag(client: httpx.Client, project: Project, folder: Path):
    read = client.get(SETTINGS, headers={"Accept-Language": "zh"})
    etag = read.headers["etag"]
    told = {one["name"]: one for part in read.json()["sections"] for one in part["settings"]}
    assert etag == f'"{read.json()["etag"]}"' and told["label.batch"]["meaning"] == "一次建议标注的消息数。"
    assert "accuracy" in told["goal.metric"]["choices"]  # as the latest report has them
    wish = {"changes": {"label.batch": 7, "goal.at_least": 0.25}}
    done = client.patch(SETTINGS, json=wish, headers={"If-Match": etag})
    assert done.status_code == 200 and done.json()["changed"]["label.batch"] == {"old": 20, "new": 7}
    assert (project.settings.label.batch, load_settings(folder).goal.at_least) == (7, 0.25)
    late = client.patch(SETTINGS, json={"changes": {"label.batch": 8}}, headers={"If-Match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "settings.outdated")
    again = client.patch(SETTINGS, json={"changes": {"label.batch": None}}, headers={"If-Match": done.headers["etag"]})
    assert again.status_code == 200 and load_settings(folder).label.batch == 20


def test_settings_that_cannot_be_used_are_refused_in_words(client: httpx.Client, folder: Path):
    before = (folder / "feilun.toml").read_bytes()
    for changes, code in (
        ({"store.url": "postgresql://x"}, "settings.in_file"),
        ({"goal.at_leats": 1}, "settings.unknown"),
        ({"goal.metric": "acuracy"}, "settings.refused"),
        ({"evaluate.max_error_rate": 7}, "settings.refused"),
        ({}, "request.invalid"),
    ):
        refused = client.patch(SETTINGS, json={"changes": changes})
        assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text
    huge = client.patch(
        SETTINGS, content=b'{"changes": {"train.budget_s": 1e999}}', headers={"Content-Type": "application/json"}
    )
    assert (huge.status_code, huge.json()["code"]) == (422, "settings.refused")
    assert (folder / "feilun.toml").read_bytes() == before
