"""Progressive delivery, driven by events: see docs/ for what it does and DESIGN words in delivery.model."""
