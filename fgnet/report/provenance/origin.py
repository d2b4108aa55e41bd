"""Which machines ran the jobs, at which precision, and which code, by the ledger."""

from collections import Counter
from pathlib import Path

from fgnet import ledger
from fgnet.report import html
from fgnet.report.provenance.records import MOST, more
from fgnet.revision import CHANGED

UNKNOWN = "unknown"
PRECISIONS = ["precision of the network", "instructions, or GPU", "stage", "jobs"]


def show(folder: Path) -> html.Html:
    """Tables of hosts, precisions and revisions of the code, each with its number of jobs."""
    listed = [entry for _, entry in ledger.entries(folder)]
    if not listed:
        return html.tag("p", f"There is no entry in {folder} that tells of it.")
    hosts = Counter(entry.get("host") or UNKNOWN for entry in listed).most_common()
    codes = Counter((entry.get("revision"), entry.get("fgnet")) for entry in listed).most_common()
    ran = Counter(
        (entry["precision"], entry.get("instructions") or UNKNOWN, entry.get("stage") or UNKNOWN)
        for entry in listed
        if entry.get("precision")
    )
    networks = [(*facts, f"{jobs:,}") for facts, jobs in sorted(ran.items())]
    code = [(revision(found), version or UNKNOWN, f"{jobs:,}") for (found, version), jobs in codes]
    return html.join(
        [
            html.table(["host", "jobs"], [(name, f"{jobs:,}") for name, jobs in hosts[:MOST]], 1),
            *more(hosts[MOST:], "in the ledger"),
            *([html.table(PRECISIONS, networks[:MOST], 1)] if networks else []),
            *more(networks[MOST:], "in the ledger"),
            html.table(["revision of the code", "fgnet", "jobs"], code[:MOST], 1),
            *more(code[MOST:], "in the ledger"),
        ]
    )


def revision(found: str | None) -> html.Content:
    """A commit in a page's words."""
    if not found:
        return "of no repository"
    commit, changed, _ = found.partition(CHANGED)
    note = " with changes" if changed else ""
    return html.Html(f"{html.tag('code', commit).text}{note}")
