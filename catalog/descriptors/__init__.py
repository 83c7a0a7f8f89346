"""What a descriptor file says, and what is wrong with it. Pure: text in, entities and findings out."""
