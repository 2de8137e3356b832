"""A ranker's folder: made here, downloaded, or copied from the user's.

It lies in this room because no lower one may import all three.
"""

from pathlib import Path

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError
from genlab.mini.rankers import RankerRecipe, make_ranker, mean_reciprocal_rank
from genlab.ranking import encoders
from genlab.ranking.rankers import RankerKind, load_ranker, try_ranker
from genlab.sources.foreign_files import named_as
from genlab.sources.ranker_folders import copy_model, download_model
from genlab.sources.source import Origin, Source


def fetch_ranker(
    kind: RankerKind, origin: Origin, recipe: RankerRecipe, output: Path
) -> dict[str, str | int | float]:
    """Write the ranker folder `output`, whole or not at all, and return its manifest.

    A mini ranker is trained on the query table at `origin.path`. BM25 with source file is made from
    that table, too, as it is nothing but word counts. The ranker is loaded and tried before it is
    kept. Raises InputError for any mistake in the params or files.
    """
    source = origin.source
    if kind is RankerKind.bm25 and source is Source.hub:
        raise InputError(
            f"rankers.{output.name}.source=hub: BM25 is counted from a query table, no hub has it; "
            "set source to mini and path to the table"
        )
    made_here = source is Source.mini or kind is RankerKind.bm25
    manifest: dict[str, str | int | float] = {
        "name": output.name,
        "kind": kind.value,
        "source": source.value,
    }
    with written_whole(output) as folder, named_as(folder / "model", origin.asset):
        folder.mkdir()
        if made_here:
            manifest |= make_ranker(kind, origin.path, recipe, folder)
        elif source is Source.hub:
            group = f"rankers.{output.name}"
            model = folder / "model"
            commit = download_model(kind, origin.hub_id, origin.revision, model, group)
            manifest |= {"hub_id": origin.hub_id, "revision": commit}
        else:
            copy_model(kind, origin.path, folder / "model")
            manifest |= {"path": str(origin.path)}
        if not made_here and kind is not RankerKind.tensorflow_hub:
            encoders.keep_rules(folder / "model")
        write_json(folder / "ranker.json", manifest)
        ranker = load_ranker(folder, batch_size=64)
        if kind is not RankerKind.bm25:  # which knows no word that its table has not
            try_ranker(ranker, f"a mini model for {output}" if made_here else origin.asset)
        if kind is RankerKind.sentence_transformer:
            encoders.say_unused_prompts(folder / "model", origin.asset)
        if made_here:
            manifest |= mean_reciprocal_rank(ranker.relevance, origin.path)
            write_json(folder / "ranker.json", manifest)
    return manifest


def numbers_of(manifest: dict[str, str | int | float]) -> dict[str, int | float]:
    """Return the numbers in a manifest, because DVC's metrics can only be numbers."""
    return {name: value for name, value in manifest.items() if isinstance(value, (int, float))}
