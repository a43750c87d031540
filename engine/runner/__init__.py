"""The process of a node: edges, statistics, control and crash reporting around its operator."""
