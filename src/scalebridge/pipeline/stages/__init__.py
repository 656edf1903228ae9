"""What each stage computes: the glue between a recipe's sections, the rooms and the contracts."""
