"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# a busy machine is no failure: time is measured in benchmarks, never asserted
settings.register_profile("shared_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared_machine")
