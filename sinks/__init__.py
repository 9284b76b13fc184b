"""Where rows, reports and alerts leave. One file a destination; none of them knows a monitor."""
