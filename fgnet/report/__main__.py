"""Make the pages of the report, their overview, and the record of all results.

python -m fgnet.report page --notebook NOTEBOOK.ipynb --parameters JSON --root ..
                            --executed LOG.ipynb --output PAGE.html
python -m fgnet.report index --parameters JSON --output INDEX.html --table SCORES.txt
python -m fgnet.report crate --parameters JSON --output results/ro-crate-metadata.json
                             --workflow results/workflow --readme results/README.md
"""

import sys
from pathlib import Path

from fgnet import command


def run_page(notebook: Path, parameters: str, root: str, executed: Path, output: Path) -> None:
    """Run a notebook with parameters and make a page of it."""
    from fgnet.report import page

    page.run(notebook, parameters, root, executed, output)


def run_index(parameters: str, output: Path, table: Path) -> None:
    """Write the landing page and the score table as text."""
    from fgnet.report import index

    index.run(parameters, output, table)


def run_crate(parameters: str, output: Path, workflow: Path, readme: Path) -> None:
    """Describe the results as an RO-Crate, so that their folder can be deposited."""
    from fgnet.report.crate import describe  # its library takes longer to load than a page to make

    describe.run(parameters, output, workflow, readme)


parser = command.parser("report", __doc__ or "")
steps = command.steps(parser, page=run_page, index=run_index, crate=run_crate)

one = steps["page"]
one.add_argument("--notebook", type=Path, required=True, help="of notebooks/, beside the workflow")
one.add_argument("--parameters", default="{}", help="the notebook's parameters as a JSON object")
one.add_argument("--root", default=".", help="folder of all pages, as seen from this one")
one.add_argument("--executed", type=Path, required=True, help="copy of the notebook as it ran")
one.add_argument("--output", type=Path, required=True, help="HTML file to write")

two = steps["index"]
two.add_argument("--parameters", required=True, help="title, pages, scores … as JSON")
two.add_argument("--output", type=Path, required=True, help="HTML file to write")
two.add_argument(
    "--table", type=Path, required=True, help="file to write: the scores as plain text"
)

three = steps["crate"]
three.add_argument("--parameters", required=True, help="files, config, authors, ... as JSON")
three.add_argument(
    "--output", type=Path, required=True, help="JSON file to write: results/ro-crate-metadata.json"
)
three.add_argument(
    "--workflow", type=Path, required=True, help="folder to write: the rules and the config"
)
three.add_argument("--readme", type=Path, required=True, help="file to write: results/README.md")

if __name__ == "__main__":
    sys.exit(command.main(parser, command.run_step))
