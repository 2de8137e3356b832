"""README's own tables: RL step by step, the turn, equal distance and cost, the reward model."""

from pipelines.rlhf.arms import START
from pipelines.rlhf.metrics import GAINED
from pipelines.rlhf.policies_compared import Point
from pipelines.rlhf.reward_quality import best_numbers

Rows = list[list[str]]

PARTS = ("all", "small margin", "large margin", "equal length")  # of held-out pairs


def make_tables(
    points: list[Point], arm: str, summaries: dict, compared: dict, quality: dict
) -> dict[str, Rows]:
    """Return name -> rows, first the header, of README's tables that no room of genlab makes."""
    return {
        "answers": answers_table(summaries),
        "steps": steps_table(points, arm, summaries),
        "turn": turn_table(compared),
        "equal": equal_table(compared),
        "reward_model": reward_model_table(quality),
    }


def answers_table(summaries: dict) -> Rows:
    """Return every arm's main numbers, for other prompts and, of several, other trainings."""
    shown = ("truth", "proxy", "kl", "wrong", "win", "language_loss")
    rows = [["model", *(name.replace("_", " ") for name in shown)]]
    for arm, summary in summaries.items():
        if "_step_" not in arm:
            cells = [over_trainings(summary.get(name, {})) for name in shown]
            rows.append([arm.replace("_", " "), *cells])
    return rows


def steps_table(points: list[Point], arm: str, summaries: dict) -> Rows:
    """Return an arm's gains over the start at every step kept, with their intervals."""
    rows = [["step", "distance d", "proxy gained", "truth gained", "trainings below the start"]]
    starts = {point.seed: point.truth for point in points if point.arm == START}
    mine = [point for point in points if point.arm == arm]
    for step in dict.fromkeys(point.step for point in mine):
        of_step = [point for point in mine if point.step == step]
        summary = summaries[f"{arm}_step_{step}"]
        cells = [over_trainings(summary.get(f"{name}_gained", {})) for name in GAINED]
        n_below = sum(point.truth < starts[point.seed] for point in of_step)
        rows.append([f"{step}", *cells, f"{n_below} of {len(of_step)}"])
    return rows


def turn_table(compared: dict) -> Rows:
    """Return the fit of the truth gained against d, and d*, of best-of-n and each arm of RL."""
    rows = [
        ["optimised by", "a", "b", "residual SD", "turning point d*", "trainings that turn",
         "best step"]
    ]  # fmt: skip
    for arm, found in compared.items():
        fit = found if arm == "best_of" else found.get("fit", {})
        if not fit:
            continue
        turn = fit["turning_point"]
        form = "best-of-n, d (a - b d)" if arm == "best_of" else f"{arm}, d (a - b log d)"
        at = in_words(turn) if "value" in turn else "none seen"
        if 0 < turn["turn"] < turn["trainings"]:
            at += f" (of the {turn['turn']} that turn)"
        n_turn = f"{turn['turn']} of {turn['trainings']}"
        step = f"{found.get('peak_step', '')}"
        residual = f"{fit['residual_sd']:.3f}" if "residual_sd" in fit else ""
        numbers = [f"{fit['a']:.2f}", f"{fit['b']:.2f}", residual]
        rows.append([form, *numbers, at, n_turn, step])
    return rows


def equal_table(compared: dict) -> Rows:
    """Return the truth of RL, best-of-n and DPO where they went as far, or cost as much."""
    rows = [
        ["arm", "at equal", "RL", "DPO", "RL - DPO", "RL, prompts of best-of-n", "best-of-n",
         "RL - best-of-n"]
    ]  # fmt: skip
    names = ("rl", "dpo", "rl_minus_dpo", "rl_beside_best", "best_of", "rl_minus_best_of")
    for arm, found in compared.items():
        for key, what, of in (
            ("at_equal_kl", "distance, d = {:.2f}", "d"),
            ("at_equal_samples", "answers scored, n = {:.1f}", "n"),
        ):
            numbers = found.get(key, {})
            if "best_of" in numbers:
                cells = [in_words(numbers[name]) if name in numbers else "" for name in names]
                rows.append([arm, what.format(numbers[of]["value"]), *cells])
    return rows


def reward_model_table(quality: dict) -> Rows:
    """Return the reward models' accuracy on held-out pairs by part, between its bounds.

    The mean over trainings, for other prompts and other trainings, or that of the only one.
    """
    rows = [["held-out pairs", "pairs", "chance", "accuracy", "noise ceiling"]]
    if "trainings" not in quality:
        return rows
    accuracy = best_numbers(quality)["accuracy"]
    for part in PARTS:
        if found := accuracy.get(part):
            ceiling = f"{found['ceiling']:.3f}" if "ceiling" in found else "not known"
            rows.append([part, f"{found['pairs']:,}", "0.500", in_words(found), ceiling])
    return rows


def in_words(numbers: dict) -> str:
    """Return a value with its interval, if it has one."""
    value = f"{numbers['value']:.3f}"
    has_ends = "low" in numbers
    return f"{value} ({numbers['low']:.3f} to {numbers['high']:.3f})" if has_ends else value


def over_trainings(numbers: dict[str, dict]) -> str:
    """Return a metric's mean over trainings, or one model's value, with its interval."""
    return in_words(numbers.get("seeds", numbers["prompts"])) if numbers else ""
