"""Hypothesis tries the same examples in every run, so that `make test` answers the same on each machine.

`HYPOTHESIS_PROFILE=search make test` looks for new ones.
"""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
