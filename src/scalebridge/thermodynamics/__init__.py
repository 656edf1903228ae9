"""thermodynamics."""
