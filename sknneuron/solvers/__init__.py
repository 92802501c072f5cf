"""The algorithms: each a generator of iterates, found by name in `SOLVERS`."""

from .base import Goal, Iterate, Solver
from .choose import SOLVERS, make_solver

__all__ = ["SOLVERS", "Goal", "Iterate", "Solver", "make_solver"]
