"""The language of templates: parsed, evaluated and rendered in a sandbox. Pure."""
