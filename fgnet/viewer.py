"""Links that open an exported volume in Neuroglancer, at a place of it if wanted.

What a place adds to the address of a volume's state is answered by :mod:`fgnet.export.serve`; other
servers ignore it, and the viewer opens the middle of the volume.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode

STATE = "neuroglancer.json"
# the client that the package neuroglancer brings wants a token in its address, after /v/
CLIENT = "/client/v/fgnet/"
PUBLIC = "https://neuroglancer-demo.appspot.com/"
VOXEL = re.compile(r"(-?\d{1,15}),(-?\d{1,15}),(-?\d{1,15})", re.ASCII)
IDS = re.compile(r"\d{1,20}(?:,\d{1,20}){0,99}", re.ASCII)
FIELDS = 9  # of a query


@dataclass(frozen=True)
class Place:
    """Where to look, and what to select there.

    Attributes:
        voxel: z, y, x, counted from the origin of viewers.
        layer: the name of a layer of segments; of none nothing is selected.
        segments: ids in it.
    """

    voxel: tuple[int, int, int]
    layer: str = ""
    segments: tuple[int, ...] = ()

    def query(self) -> str:
        """The place as the query of an address."""
        values = {"position": ",".join(map(str, self.voxel[::-1]))}
        if self.layer:
            values |= {"segments": ",".join(map(str, self.segments)), "layer": self.layer}
        return urlencode(values, quote_via=quote)

    @classmethod
    def read(cls, query: str) -> Self | None:
        """The place that a query names, if any. Raises ValueError for one that is none."""
        values = dict(parse_qsl(query, errors="strict", max_num_fields=FIELDS))
        if "position" not in values:
            return None
        voxel = VOXEL.fullmatch(values["position"])
        if voxel is None:
            raise ValueError("position is not x,y,z in whole voxels")
        x, y, z = map(int, voxel.groups())
        ids = values.get("segments", "")
        if ids and not IDS.fullmatch(ids):
            raise ValueError("segments is not a list of at most 100 ids")
        segments = tuple(map(int, ids.split(","))) if ids else ()
        if max(segments, default=0) >= 2**64:
            raise ValueError("an id of segments has more than 64 bits")
        return cls((z, y, x), values.get("layer", ""), segments)


def local(address: str, volume: str, place: Place | None = None) -> str:
    """The link to a volume in the client that :mod:`fgnet.export.serve` serves itself."""
    return f"{address}{CLIENT}#!{_state(address, volume, place)}"


def public(address: str, volume: str, place: Place | None = None) -> str:
    """The link to a volume in the public client, which reads from the same address."""
    return f"{PUBLIC}#!{_state(address, volume, place)}"


def _state(address: str, volume: str, place: Place | None) -> str:
    query = f"?{place.query()}" if place else ""
    return f"{address}/{quote(volume)}/{STATE}{query}"
