"""What sources bring waits as candidates; who may publish decides on exactly those bytes, or trusts a place to."""
