"""Where stages put their tables and how a stage becomes visible to the next one."""
