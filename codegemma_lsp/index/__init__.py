"""The words of a workspace's files, by which similar code is found."""
