"""The one walker: what a step means, worked out in the same way for a review and for a run."""
