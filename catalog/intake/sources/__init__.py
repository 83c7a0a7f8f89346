"""Where descriptors come from: folders, git, URLs, uploads."""
