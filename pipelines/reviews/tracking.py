"""MLflow as a second record of a training: params, curves and metrics, in a store of its own.

The store is a server or a database by its URL, or a SQLite file. A password comes from the
environment alone: params.yaml and dvc.lock are committed. The file lies in the original
checkout, so queued experiments write to it, too; DVC does not track it, and nothing reads it.
`mlflow ui` shows it, from an environment of its own: the lock has MLflow's client alone, as the
whole does not install beside the other packages.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.core.processes import is_first
from genlab.core.program import InputError

EXPERIMENT = "reviews"
NONE = "none"
FROM_ENVIRONMENT = "env"  # the URL is MLflow's own variable, which no file records
VARIABLE = "MLFLOW_TRACKING_URI"
URL = re.compile(r"([a-z]+)(?:\+[a-z0-9_]+)?://.*", re.IGNORECASE)
SCHEMES = ("http", "https", "databricks", "postgresql", "mysql", "mssql")  # what MLflow knows


def check_store(store: str) -> None:
    """Raise InputError for a URL that MLflow has no store for, or one with a password.

    git and dvc.lock would keep the password.
    """
    if store != without_password(store):
        raise InputError(
            f"train.mlflow_store={without_password(store)}: leave the password out, as dvc.lock "
            f"would keep it. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD for a "
            f"server; or train.mlflow_store=env, and the whole URL as {VARIABLE}"
        )
    address = without_sqlite(store)
    found = URL.fullmatch(address)
    if ":" in address and (found is None or found[1].lower() not in SCHEMES):
        raise InputError(
            f"train.mlflow_store={without_password(store)}: no store of MLflow's begins so; give "
            f"a SQLite file, none, or a URL that begins with {', '.join(SCHEMES)}"
        )


def without_sqlite(store: str) -> str:
    """Return the path of a SQLite file that is given as MLflow writes it; else the store."""
    return store.removeprefix("sqlite:///")


def without_password(text: str) -> str:
    """Return a text with the passwords of its addresses masked, also where the scheme lacks."""
    masked = re.sub(r"([^/@\s:]*):(?!//)\S*@", r"\1:***@", text)
    return re.sub(r"([?&;](?:password|passwd|pwd|token)=)[^&;\s]+", r"\1***", masked)


def tracking_uri(store: str) -> tuple[str, str | None]:
    """Return MLflow's name of a store, and where its artifacts lie: None where the store decides.

    No artifacts are logged; without a place of theirs a SQLite file would get a folder mlruns.
    """
    if store == FROM_ENVIRONMENT:
        if not os.environ.get(VARIABLE):
            raise InputError(
                f"train.mlflow_store=env, but {VARIABLE} is not set; export it, or name a store"
            )
        return os.environ[VARIABLE], None
    store = without_sqlite(store)
    if URL.fullmatch(store):
        return store, None
    path = (Path(os.environ.get("DVC_ROOT", ".")) / store).resolve()
    return f"sqlite:///{path}", path.parent.as_uri()


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
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # its own 7 take four minutes
    try:
        import mlflow
    except ImportError as error:
        raise InputError(
            f"train.mlflow_store={without_password(store)} needs MLflow, which is not installed "
            f"({error}); install requirements.lock, or set it to none"
        ) from error

    uri, artifacts = tracking_uri(store)
    mlflow.set_tracking_uri(uri)
    try:
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            mlflow.create_experiment(EXPERIMENT, artifact_location=artifacts)
        mlflow.set_experiment(EXPERIMENT)
        active = mlflow.start_run(run_name=arm)
    except Exception as error:  # of SQLAlchemy's and MLflow's many kinds
        reason = without_password(str(error).splitlines()[0])
        kind = "written as a SQLite file" if artifacts else "reached"
        raise InputError(
            f"train.mlflow_store={without_password(store)}: cannot be {kind} ({reason}); give "
            "another, or none"
        ) from error
    with active:
        mlflow.log_params({f"genlab.{name}": str(value) for name, value in options.items()})
        yield "mlflow"
