"""Run code on this device."""
