"""Places in a volume, as links into the viewer where the volume is exported for it."""

from collections.abc import Sequence

from fgnet import viewer
from fgnet.report import html
from fgnet.settings.base import Section

COPIED = (
    "Places are x, y, z in voxels as Neuroglancer counts: a click copies one, to be pasted into "
    "the position field of the viewer."
)
OPENED = "Places are x, y, z in voxels: a click opens Neuroglancer there, with the segment selected"
SERVED = "while <code>python -m fgnet.export serve</code> runs"


class Viewer(Section):
    """Where a segmentation can be looked at: its volume at an address, and its layer there."""

    address: str
    volume: str
    layer: str

    @property
    def served(self) -> bool:
        """Whether fgnet serves it, which brings the client along and speaks http alone."""
        return self.address.startswith("http://")

    def link(self, voxel: Sequence[int], segments: Sequence[int]) -> str:
        """The address that shows a voxel (z, y, x) and these segments; 0 is none."""
        z, y, x = voxel
        chosen = tuple(dict.fromkeys(name for name in segments if name))
        place = viewer.Place((z, y, x), self.layer, chosen)
        open_in = viewer.local if self.served else viewer.public
        return open_in(self.address, self.volume, place)


def words(there: Viewer | None) -> html.Html:
    """What places are and what a click on one does."""
    if there is None:
        return html.Html(html.text(COPIED))
    return html.Html(f"{html.text(OPENED)}{f', {SERVED}' if there.served else ''}.")


def show(voxel: Sequence[int], there: Viewer | None, segments: Sequence[int]) -> html.Html:
    """A voxel (z, y, x) as x, y, z: a link into the viewer, or to be copied where there is none."""
    name = ", ".join(map(str, voxel[::-1]))
    if there is None:
        return html.Html(f'<code class="copy">{name}</code>')
    target = html.text(there.link(voxel, segments))
    return html.Html(f'<a class="place" href="{target}" target="_blank">{name}</a>')
