"""What api.github.com needs: a token, and a look at its rate limit."""
