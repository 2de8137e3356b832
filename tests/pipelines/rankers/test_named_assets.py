import json

import pytest

from genlab.core.program import InputError
from genlab.ranking.rankers import RankerKind
from pipelines.rankers import named_assets
from pipelines.rankers.named_assets import check_all_made, kind_of, ranker_of, tables_in


def test_collections_are_known_by_their_files_and_none_is_an_error(tmp_path):
    for name in ("wiki.parquet", "mini.parquet", "notes.txt"):
        (tmp_path / name).touch()
    found = tables_in(tmp_path)
    assert list(found) == ["mini", "wiki"] and found["wiki"] == tmp_path / "wiki.parquet"
    with pytest.raises(InputError, match="none: no collection; run `dvc repro`"):
        tables_in(tmp_path / "none")


def test_what_no_stage_makes_is_named_and_not_read_with_the_rest(tmp_path):
    check_all_made([tmp_path / "none"], {})
    for name in ("new.parquet", ".gitignore"):
        (tmp_path / name).touch()
    made_by = {str(tmp_path / "new.parquet"): {}}
    check_all_made([tmp_path], made_by)
    blank = tmp_path / "an old"
    blank.touch()
    with pytest.raises(InputError, match=rf": rm -r '{blank}'$"):
        check_all_made([tmp_path], made_by)
    blank.unlink()
    (tmp_path / "old.parquet").touch()
    left = str(tmp_path / "old.parquet")
    with pytest.raises(InputError, match=rf"^{left}: no stage makes it.* rm -r {left}$"):
        check_all_made([tmp_path], made_by)
    (tmp_path / "counts/old").mkdir(parents=True)
    made_by[str(tmp_path / "counts")] = {}
    both = rf"all of {tmp_path}, {tmp_path}/counts is read; remove it: rm -r {left} {tmp_path}/co"
    with pytest.raises(InputError, match=both):
        check_all_made([tmp_path, tmp_path / "counts"], made_by)


def test_bm25_is_loaded_for_each_collection_and_others_once(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        named_assets, "load_ranker", lambda folder, *how: loaded.append((folder.name, *how))
    )
    for name in ("bm25", "cross_encoder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ranker.json").write_text(json.dumps({"kind": name}))
    ranker_of(tmp_path / "bm25", tmp_path / "counts", 9, loaded="an earlier one")
    ranker_of(tmp_path / "cross_encoder", tmp_path / "counts", 9, None)
    ranker_of(tmp_path / "cross_encoder", tmp_path / "counts", 9, None, n_kept=5)
    assert loaded == [("counts", 9), ("cross_encoder", 9, 0), ("cross_encoder", 9, 5)]
    assert ranker_of(tmp_path / "cross_encoder", tmp_path / "counts", 9, "it") == "it"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kind": "oracle"}'])
def test_a_folder_without_a_manifest_is_named(tmp_path, content):
    (tmp_path / "ranker.json").write_text(content)
    with pytest.raises(InputError, match=r"ranker.json: no ranker's manifest"):
        kind_of(tmp_path)
    (tmp_path / "ranker.json").write_text('{"kind": "bm25"}')
    assert kind_of(tmp_path) is RankerKind.bm25
