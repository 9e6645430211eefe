"""What each notebook says, as sentences, tables and checks."""
