"""README's tables of what a run's texts scored, made from the details that score and probe write.

names: group -> the name to show, where that differs.
"""

from genlab.core.markdown import markdown_table
from genlab.experiments.claims_tables import in_words, keys_of, with_interval
from genlab.experiments.layout import Layout


def references_table(details: dict, layout: Layout, names: dict[str, str]) -> str:
    """Return the default run's metrics beside chance, floor and ceiling; names as above."""
    columns = ("chance", "floor", "ceiling")
    rows = [[layout.group or "", "metric", "tuned", *columns]]
    for group, metrics in details.items():
        for metric in layout.shown:
            numbers = metrics[metric]
            references = [f"{numbers[name]:.2f}" if name in numbers else "" for name in columns]
            rows.append([names.get(group, group), metric, with_interval(numbers), *references])
    return markdown_table(rows)


def probes_table(details: dict, layout: Layout, names: dict[str, str]) -> str:
    """Return every probe's first shown metric in every group; names as above."""
    metric = layout.shown[0]
    rows = [[f"text in the slot, {metric}", *(names.get(group, group) for group in details)]]
    for probe in keys_of(details):
        cells = [
            with_interval(found[probe][metric]) if probe in found else ""
            for found in details.values()
        ]
        rows.append([in_words(probe), *cells])
    return markdown_table(rows)


def outcomes_table(details: dict, layout: Layout) -> str:
    """Return every arm's shown metrics, macro-averaged, under each way of decoding."""
    rows = [["decoding", "arm", *(in_words(metric) for metric in layout.shown)]]
    for decoding, arms in details.items():
        for arm, numbers in arms.items():
            macro = numbers["macro"]
            cells = [with_interval(macro[m]) if m in macro else "" for m in layout.shown]
            rows.append([decoding, in_words(arm), *cells])
    return markdown_table(rows)


def spreads_table(details: dict, layout: Layout) -> str:
    """Return every arm's shown metrics, over the texts of one model."""
    rows = [["arm", *map(in_words, layout.shown)]]
    for arm, metrics in details.items():
        cells = [with_interval(metrics[metric]["texts"]) for metric in layout.shown]
        rows.append([in_words(arm), *cells])
    return markdown_table(rows)
