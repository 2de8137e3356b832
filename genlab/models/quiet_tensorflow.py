"""TensorFlow without its chatter and without taking all of a GPU's memory.

Its C++ side greets every import with log lines that no setting turns off before it has read its
settings, so the process's stderr is set aside during the import, and shown only if that fails.
"""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def import_tensorflow() -> tuple[ModuleType, ModuleType]:
    """Return the modules (tensorflow, tensorflow_hub), imported quietly.

    GPU memory is taken as it is needed, so that PyTorch can use the same GPU.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, at import: errors only
    with stderr_set_aside(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorflow_hub's pkg_resources, Keras's deprecations
        import tensorflow
        import tensorflow_hub
    tensorflow.get_logger().setLevel("ERROR")
    for gpu in tensorflow.config.list_physical_devices("GPU"):
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    return tensorflow, tensorflow_hub


@contextmanager
def stderr_set_aside() -> Iterator[None]:
    """Hold back what this process writes to stderr, C++ included; show it if the block raises."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
