"""Stage ``host``: read the host and its structures."""

from scalebridge.materials import load_host
from scalebridge.pipeline.stage import StageContext


def compute(context: StageContext) -> None:
    """Save the ``Host``."""
    context.save(load_host(context.recipe.host.name, context.provenance()))
