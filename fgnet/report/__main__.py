"""The command line of the report stage.

python -m fgnet.report page --notebook NOTEBOOK.ipynb --parameters JSON --pages JSON
                            --executed LOG.ipynb --output PAGE.html
python -m fgnet.report index --parameters JSON --settings JSON --output INDEX.html
                             --table SCORES.txt
python -m fgnet.report crate --parameters JSON --output results/ro-crate-metadata.json
                             --workflow results/workflow --readme results/README.md
"""

import sys
from pathlib import Path

from fgnet import command
from fgnet.report import (
    data,
    examples,
    index,
    models,
    page,
    pairs,
    provenance,
    sheet,
    sweeps,
    verdicts,
    worst,
)
from fgnet.settings.report import Report

# imported for the notebooks alone, and here so that the code's fingerprint has them
__all__ = [
    "data", "examples", "models", "pairs", "provenance", "sheet", "sweeps", "verdicts", "worst",
]  # fmt: skip


def run_page(notebook: Path, parameters: str, pages: str, executed: Path, output: Path) -> None:
    """Run a notebook with parameters and make a page of it."""
    page.run(notebook, parameters, pages, executed, output)


def run_index(parameters: str, settings: str, output: Path, table: Path) -> None:
    """Write the landing page and the score table as text."""
    index.run(parameters, Report.from_json(settings), output, table)


def run_crate(parameters: str, output: Path, workflow: Path, readme: Path) -> None:
    """Describe the results as an RO-Crate, so that their folder can be deposited."""
    from fgnet.report import crate  # its library takes longer to load than a page to make

    crate.run(parameters, output, workflow, readme)


parser = command.parser("report", __doc__ or "")
steps = command.steps(parser, page=run_page, index=run_index, crate=run_crate)

one = steps["page"]
one.add_argument("--notebook", type=Path, required=True)
one.add_argument("--parameters", default="{}", help="the notebook's parameters as a JSON object")
one.add_argument("--pages", default="[]", help="all pages of the report as a JSON list")
one.add_argument("--executed", type=Path, required=True, help="copy of the notebook as it ran")
one.add_argument("--output", type=Path, required=True)

two = steps["index"]
two.add_argument("--parameters", required=True, help="segmentations, pages, picture as JSON")
two.add_argument("--settings", default="{}", help="the config's section report as JSON")
two.add_argument("--output", type=Path, required=True)
two.add_argument("--table", type=Path, required=True, help="the score table as plain text")

three = steps["crate"]
three.add_argument("--parameters", required=True, help="files, config, authors, ... as JSON")
three.add_argument("--output", type=Path, required=True, help="results/ro-crate-metadata.json")
three.add_argument("--workflow", type=Path, required=True, help="folder for a copy of the code")
three.add_argument("--readme", type=Path, required=True, help="results/README.md")

if __name__ == "__main__":
    sys.exit(command.main(parser, command.run_step))
