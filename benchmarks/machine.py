"""What figures were measured on."""

import os
import platform
from pathlib import Path


def machine():
    """Python, the processor, where the system tells it, and the number of its cores."""
    lines = Path("/proc/cpuinfo")
    names = lines.read_text().splitlines() if lines.exists() else []
    names = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"Python {platform.python_version()}, {name}, {os.cpu_count()} cores"
