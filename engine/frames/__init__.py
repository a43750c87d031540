"""The data model: columnar frames of points or whole batches, and their wire codec."""
