"""The judgement of a cluster’s objects: availability, rollout, reasons and hints. Pure."""
