"""What every output of a decision or a forecast says of its use."""

NOTICE = "Research use, not a medical device."
SYNTHETIC = "The population was fitted to SYNTHETIC patients."
