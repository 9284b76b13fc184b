"""Windows, stages and hosts: how frames become reports."""
