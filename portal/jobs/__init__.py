"""Outside work as rows: what a request asks for and a worker does, with progress, an end and a sentence."""
