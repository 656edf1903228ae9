"""Makes the modules of this folder importable in every test, and property tests the same in every run."""

from hypothesis import settings

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")
