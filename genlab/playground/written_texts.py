"""A text that the tuned or the untuned model writes for a query, token by token.

Decoded as the stage generate does, from the same random numbers: what the run's model writes first
for a query is the run's own text.
"""

from dataclasses import replace
from typing import Any

from genlab.core.seeds import random_stream
from genlab.models.decoding import beam_search, check_positions, decode_batch
from genlab.models.end_of_text import end_tokens
from genlab.models.prompts import encode_prompts, make_prompt
from genlab.models.token_texts import decode_texts
from genlab.playground.loaded_run import LoadedRun
from genlab.web.streams import Say

HALF_A_CHARACTER = "\ufffd"  # a token's bytes may end in one; the next token has the rest


def write_text(run: LoadedRun, number: int, name: str, draw: int, say: Say) -> None:
    """Have a model write for query `number`; say the text as it grows, and at last that it is done.

    name: of MODELS; draw: of the random numbers, from 0. Raises InputError if the prompt is too
    long for the model.
    """
    tokenizer, model = run.models[name]
    query_id, query = run.queries.select("query_id", "query").row(number)
    is_sampled = run.decoding.num_beams == 1
    # A prefix of a sampled text is the shorter text; a beam's is not, and there the two are equal.
    decoding = replace(run.decoding, cap=run.max_len) if is_sampled else run.decoding
    prompts = encode_prompts(tokenizer, [query])
    check_positions(model, prompts, [query_id], decoding)
    new: list[int] = []

    def text() -> str:
        before = "" if run.strip_query else make_prompt(query)
        return (before + decode_texts(tokenizer, [new])[0]).strip()

    def on_step(_: list[int], tokens: list[int]) -> None:
        if tokens:  # none: it was an end-of-text
            new.extend(tokens)
            say({"text": text().rstrip(HALF_A_CHARACTER)})

    streams = random_stream(decoding.seed, query_id, decoding.cap, draw)[None]
    ends = end_tokens(model, tokenizer)
    with run.writing:
        options: dict[str, Any] = {"on_step": on_step} if is_sampled else {}
        decode = decode_batch if is_sampled else beam_search
        [tokens] = decode(model, prompts, streams, decoding, ends, **options)
    end = next((i for i, token in enumerate(tokens) if token in ends), None)
    new[:] = tokens[:end]
    say({"text": text(), "done": True})
