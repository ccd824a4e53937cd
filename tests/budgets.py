"""Budgets for what is tested without a listener."""

from qsmtpd.drivers.budget import Budget


def budget(memory: int = 1 << 30, messages: int = 10000) -> Budget:
    """Of a process that weighs nothing; by default more than anybody needs."""
    return Budget(memory, messages, lambda: 0)
