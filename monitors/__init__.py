"""Statistics of windows: mergeable states, and judging them against a baseline. No I/O, no clock."""
