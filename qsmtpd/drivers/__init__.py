"""What moves the bytes: one driver a way of waiting."""
