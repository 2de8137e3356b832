"""MLflow as a second record of a training: params, curves and metrics in one SQLite file.

The file lies in the original checkout, so queued experiments write to it, too; DVC does not track
it, and nothing reads it. `mlflow ui` shows it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXPERIMENT = "reviews"
NONE = "none"


@contextmanager
def tracked(store: str, arm: str, options: dict) -> Iterator[str]:
    """Yield transformers' name of the tracker, and have it write an arm's run to `store`.

    `options` (a stage's, by name) become the run's params. Without a store nothing is tracked.
    """
    if store == NONE:
        yield NONE
        return
    import mlflow

    path = Path(os.environ.get("DVC_ROOT", ".")) / store
    mlflow.set_tracking_uri(f"sqlite:///{path.resolve()}")
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=arm):
        mlflow.log_params({f"genlab.{name}": str(value) for name, value in options.items()})
        yield "mlflow"
