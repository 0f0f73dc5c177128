"""Labels: the queue, agreement, import and export."""
