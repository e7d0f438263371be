"""A model is made smaller after its turn: chosen on training rows, judged on the holdout, live, and back again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from feilun.cli import main
from feilun.config import CONFIG_NAME, FeilunSettings, dump_settings, load_settings
from feilun.models.bundle import verify_bundle
from feilun.project import Project
from feilun.store import ProjectBusy
from feilun.wheel.networks import NetworkGone
from tests.journeys.conftest import read_sample, write_rows

pytestmark = [pytest.mark.journey]


def change(folder: Path, **sections: dict) -> None:
    """Write these tables of feilun.toml anew."""
    settings = load_settings(folder).model_dump(mode="json") | sections
    (folder / CONFIG_NAME).write_text(dump_settings(FeilunSettings.model_validate(settings)), "utf-8")


def test_a_smaller_form_goes_live_with_its_own_report_and_can_be_rolled_back(tiny_project: Path, capsys) -> None:
    folder = tiny_project
    write_rows(folder / "pool.csv", [{"text": row["text"]} for row in read_sample("banking77/unseen.csv")[:80]])
    change(
        folder,
        data={"sources": [{"path": "start.csv"}, {"path": "pool.csv"}], "holdout": {"path": "holdout.csv"}},
        compress={"max_loss": 0.9, "distil": {"epochs": 1}},
    )
    with Project(folder) as project:
        first = project.turn().model_id
        shown = project.compress_model(only_show=True)
        assert (shown.reason_code, shown.model_id, len(project.list_models())) == ("only_shown", "", 1)
        events: list[str] = []
        made = project.compress_model(on_event=lambda kind, data: events.append(kind))

        assert (made.parent_model_id, made.released, made.reason_code) == (first, True, "smaller"), made.en
        chosen = next(point for point in made.points if point.is_chosen)
        assert chosen.name == "1 layers, int8" and chosen.size_mb < made.points[0].size_mb
        assert events.count("compress.point") == len(made.points) == 4 and "compress.distil" in events
        assert project.store.find_champion(project.name) == made.model_id
        report = project.report(made.model_id)
        assert report.comparison is not None and report.comparison.champion_id == first
        assert first in report.parity.note_en and first in report.parity.note_zh
        assert report.parity.size_mb == pytest.approx(chosen.size_mb)
        lineage = verify_bundle(project.store.model_path(made.model_id)).lineage
        assert lineage["parent_model_id"] == first and lineage["dataset_id"] == report.dataset_id
        assert len(project.predict(["my card is lost"])) == 1

        slim = project.compress_model(widths=[0.5])  # a student can be made smaller itself
        assert (slim.parent_model_id, slim.released, slim.reason_code) == (made.model_id, True, "smaller"), slim.en
        chosen = next(point for point in slim.points if point.is_chosen)
        assert (chosen.name, chosen.n_layers, chosen.n_heads, chosen.n_ffn) == ("width 0.5, int8", 1, 2, 32)
        assert "1 layers with 2 heads" in project.report(slim.model_id).parity.note_en
        again = project.compress_model(slim.model_id, n_layers=[])  # here nothing is left to do
        assert (again.points[0].n_heads, again.points[0].n_ffn, again.reason_code) == (2, 32, "as_is")
        assert project.rollback(actor="li")["model_id"] == made.model_id
        assert not list((folder / ".feilun" / "turns").iterdir())

        with project.store.alone(project.name), pytest.raises(ProjectBusy):
            project.compress_model()
        shutil.rmtree(project.store.network_path(first))
        with pytest.raises(NetworkGone) as gone:
            project.compress_model(first)
        assert set(gone.value.fields["known"].split(", ")) == {made.model_id, slim.model_id}

    change(folder, goal={"max_size_mb": 0.001})
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["model", "compress", str(folder), "--model", made.model_id, "--layers", "0", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (left.value.code, said["reason_code"], said["model_id"]) == (1, "nothing_fits", "")
    assert "0.0 MB" not in said["en"] and "max_loss" in said["en"] and "max_loss" in said["zh"]
    with Project(folder) as project:
        assert len(project.list_models()) == 3
