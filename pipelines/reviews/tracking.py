"""MLflow as a second record of a training: params, curves and metrics in one SQLite file.

The file lies in the original checkout, so queued experiments write to it, too; DVC does not track
it, and nothing reads it. `mlflow ui` shows it, from an environment of its own: the lock has
MLflow's client alone, as the whole does not install beside the other packages.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.core.processes import is_first
from genlab.core.program import InputError

EXPERIMENT = "reviews"
NONE = "none"


@contextmanager
def tracked(store: str, arm: str, options: dict) -> Iterator[str]:
    """Yield transformers' name of the tracker, and have it write an arm's run to `store`.

    `options` (a stage's, by name) become the run's params. Without a store nothing is tracked.
    Raises InputError if MLflow is not installed or the store cannot be written.
    """
    if store == NONE or not is_first():
        yield NONE
        return
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # it would report its use
    try:
        import mlflow
    except ImportError as error:
        raise InputError(
            f"train.mlflow_store={store} needs MLflow, which is not installed ({error}); "
            "install requirements.lock, or set it to none"
        ) from error

    path = Path(os.environ.get("DVC_ROOT", ".")) / store
    mlflow.set_tracking_uri(f"sqlite:///{path.resolve()}")
    try:
        # No artifacts are logged; without a place of theirs a folder mlruns would be made.
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            mlflow.create_experiment(EXPERIMENT, artifact_location=path.parent.resolve().as_uri())
        mlflow.set_experiment(EXPERIMENT)
        active = mlflow.start_run(run_name=arm)
    except Exception as error:  # of SQLAlchemy's and MLflow's many kinds
        raise InputError(
            f"train.mlflow_store={store}: cannot be written as a SQLite file "
            f"({str(error).splitlines()[0]}); give another name, or none"
        ) from error
    with active:
        mlflow.log_params({f"genlab.{name}": str(value) for name, value in options.items()})
        yield "mlflow"
