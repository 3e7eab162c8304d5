"""`python -m safety_figures`: see runner."""

import sys

from safety_figures.runner import main

if __name__ == "__main__":
    sys.exit(main())
