"""What checks ask the world, behind the Lookups Protocol of checks/base.py."""
