"""A checkpoint on sets: the plan, the checks, the pass over the groups, the rows, and going on after a kill."""
