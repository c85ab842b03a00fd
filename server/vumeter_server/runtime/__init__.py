"""What every process needs: settings, clock, logs, offloading, periodic work."""
