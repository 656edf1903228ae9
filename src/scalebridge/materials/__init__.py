"""Bundled hosts, electrode designs and measured materials, every number with its source."""

from scalebridge.materials.loading import (
    bundled_designs,
    host_names,
    load_design,
    load_host,
    load_material,
    material_names,
)

__all__ = ["bundled_designs", "host_names", "load_design", "load_host", "load_material", "material_names"]
