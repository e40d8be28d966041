"""One file per upstream: requests built, replies understood."""
