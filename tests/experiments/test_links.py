from pathlib import Path

from genlab.core.files import md5_of
from tests.project_copy import call, dvc
from tests.tiny_pipeline import make_repository


def test_a_stage_that_runs_again_never_writes_through_a_hard_link_into_the_cache(tmp_path):
    """README's way to have a large model on disk once where files cannot be cloned."""
    folder = make_repository(tmp_path / "project")
    call(folder, "dvc", "config", "--local", "cache.type", "hardlink,copy")
    call(folder, "dvc", "checkout", "--relink", "dvc.yaml")
    rows = folder / "data/rows.parquet"
    assert rows.stat().st_nlink == 2
    was = md5_of(rows)
    result = dvc(folder, "exp", "run", "-S", "rows.shift=3")
    assert result.returncode == 0, result.stdout
    assert md5_of(rows) != was
    objects = [path for path in Path(tmp_path).glob("project/.dvc/cache/files/md5/??/*")]
    assert was in {each.parent.name + each.name for each in objects}
    assert all(md5_of(each) == each.parent.name + each.name for each in objects)
