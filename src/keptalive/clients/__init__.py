"""How a program asks: strategies, the tuned Session, GitHub's ways, the environment."""
