"""What a stage fetches: a path that is there, a source that gives it, a pinned commit."""

import pytest

from genlab.core.assets import check_hub_id, check_mini, check_revision, check_source
from genlab.core.pipeline import Stage
from genlab.core.program import InputError

NAMES = ("path", "source", "made_from", "tokenizer_path", "revision", "hub_id")
STAGE = Stage(
    "fetch", "python -m stages.fetch base", "", frozenset(), keys={n: f"base.{n}" for n in NAMES}
)
NOTHING: frozenset[str] = frozenset()
COMMIT = "0123456789abcdef" * 2 + "01234567"


def test_a_path_must_be_there_or_be_what_a_stage_makes(tmp_path):
    path = tmp_path / "none_there"
    with pytest.raises(InputError, match=r"^base\.path=.*none_there: no such file or folder$"):
        check_source(STAGE, {"path": path, "source": "file"}, NOTHING)
    check_source(STAGE, {"path": path, "source": "file"}, frozenset({str(path)}))
    check_source(STAGE, {"path": tmp_path, "source": "file", "made_from": tmp_path}, NOTHING)
    with pytest.raises(InputError, match=r"^base\.made_from=.*none_there: no such file$"):
        check_source(STAGE, {"path": tmp_path, "made_from": path}, NOTHING)
    with pytest.raises(InputError, match=r"^base\.tokenizer_path=.*none_there: no such folder$"):
        check_source(STAGE, {"path": tmp_path, "tokenizer_path": path}, NOTHING)


def test_a_home_that_no_shell_expanded_is_told(tmp_path):
    path = type(tmp_path)("~/models")
    with pytest.raises(InputError, match=r"\(~ and \$ are not expanded; write the whole path\)"):
        check_source(STAGE, {"path": path, "source": "file"}, NOTHING)


def test_only_the_hub_needs_no_path_unless_the_program_says_so(tmp_path):
    none = type(tmp_path)("none")
    check_source(STAGE, {"path": none, "source": "hub"}, NOTHING)
    with pytest.raises(InputError, match=r"^base\.path=none, but base\.source=file reads a file"):
        check_source(STAGE, {"path": none, "source": "file"}, NOTHING)


def test_a_text_of_ones_own_is_not_taken_for_the_words_of_a_mini_asset(tmp_path):
    for name in ("mine.csv", "words.yaml", "table.parquet"):
        (tmp_path / name).touch()
    own = {"path": tmp_path / "mine.csv", "source": "mini"}
    with pytest.raises(InputError, match=r"mine\.csv: base\.source is mini, .* base\.source=file$"):
        check_mini(STAGE, own, NOTHING)
    check_mini(STAGE, own, frozenset({str(own["path"])}))
    check_mini(STAGE, own | {"source": "file"}, NOTHING)
    for name in ("words.yaml", "table.parquet"):
        check_mini(STAGE, own | {"path": tmp_path / name}, NOTHING)


def test_a_download_names_what_and_at_which_commit(tmp_path):
    hub = {"source": "hub", "hub_id": "some/model", "revision": "main"}
    with pytest.raises(InputError, match=r"^base\.revision=main: not a commit; give one of some"):
        check_revision(STAGE, hub)
    for more in (
        {"revision": COMMIT},
        {"source": "file"},
        {"hub_id": "https://example.org/encoder/4"},  # its version is in the name
        {"hub_id": str(tmp_path)},
    ):
        check_revision(STAGE, hub | more)
    with pytest.raises(InputError, match=r"^base\.hub_id=none, but base\.source=hub downloads"):
        check_hub_id(STAGE, {"source": "hub", "hub_id": "none"})
    check_hub_id(STAGE, {"source": "file", "hub_id": "none"})
