"""Settings that every drawing of centre lines shares."""

from pydantic import Field

from fgnet.settings.base import Section


class Teasar(Section):
    """How kimimaro's TEASAR (Sato et al., 2000) draws centre lines."""

    scale: float = Field(
        1.5,
        gt=0,
        allow_inf_nan=False,
        description="Points nearer to a line than this many of its radii belong to it.",
    )
    const: float = Field(
        300,
        ge=0,
        allow_inf_nan=False,
        description="Nanometres beyond that; larger draws fewer short branches.",
    )
