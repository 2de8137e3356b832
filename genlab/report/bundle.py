"""bundle: the JavaScript that draws `dvc plots show` without a network.

Out: one file, which .dvc/plots/page.html looks for at report/vega.js beside its dvc_plots/. The
flagship's report stage writes the same.
"""

from pathlib import Path

from genlab.core.program import run, stage_app
from genlab.report.charts import write_plots_library

app = stage_app()


@app.command()
def main(output: Path) -> None:
    """Write the library."""
    write_plots_library(output)


if __name__ == "__main__":
    run(app)
