"""The TaskMaster: the global stream, its forks, and the life of tasks. What decides is pure; the loop does the I/O."""
