"""The live process: whatever the rooms have asked to go on for ever, each under a lease, none at another's expense."""
