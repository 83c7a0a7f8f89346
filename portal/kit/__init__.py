"""Small tools every room may use; they know no model."""
