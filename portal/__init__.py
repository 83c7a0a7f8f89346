"""Slipway, the self-service developer portal: the Django project and the platform's own rooms."""
