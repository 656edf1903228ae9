"""Stage ``host``: read the host and its structures."""

from scalebridge.materials import load_host
from scalebridge.pipeline.stage import StageContext


def compute(context: StageContext) -> None:
    """Save the ``Host``."""
    section = context.recipe.host
    context.save(load_host(section.name, context.provenance(), structures=section.structures))
