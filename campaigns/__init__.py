"""What to send, and how far we got: campaigns, their ledger, and what moves them."""
