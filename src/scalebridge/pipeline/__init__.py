"""Recipes, stages, caching by content, executors: how a run is done and resumed."""

from scalebridge.foundation import content_key
from scalebridge.pipeline.estimate import StageTime, remaining_seconds
from scalebridge.pipeline.executors import Executor, ProcessExecutor, SerialExecutor, parse_executor
from scalebridge.pipeline.ladder import LADDER
from scalebridge.pipeline.locations import (
    bundled_hosts,
    bundled_recipes,
    design_path,
    host_folder,
    recipe_path,
)
from scalebridge.pipeline.manifest import Manifest, code_version
from scalebridge.pipeline.recipe import Recipe, load_recipe
from scalebridge.pipeline.recipe_checks import check_compositions, check_cutoff, check_recipe
from scalebridge.pipeline.remarks import merge_members
from scalebridge.pipeline.run_folder import RunFolder, StageState, inspect_run
from scalebridge.pipeline.runner import RunMonitor, RunResult, SilentMonitor, StageError, run_stages
from scalebridge.pipeline.stage import Stage, StageContext

__all__ = [
    "LADDER",
    "Executor",
    "Manifest",
    "ProcessExecutor",
    "Recipe",
    "RunFolder",
    "RunMonitor",
    "RunResult",
    "SerialExecutor",
    "SilentMonitor",
    "Stage",
    "StageContext",
    "StageError",
    "StageState",
    "StageTime",
    "bundled_hosts",
    "bundled_recipes",
    "check_compositions",
    "check_cutoff",
    "check_recipe",
    "code_version",
    "content_key",
    "design_path",
    "host_folder",
    "inspect_run",
    "load_recipe",
    "merge_members",
    "parse_executor",
    "recipe_path",
    "remaining_seconds",
    "run_stages",
]
