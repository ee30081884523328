"""What suggestions are worth and what they cost: infilling judged by execution, and typing sessions."""
