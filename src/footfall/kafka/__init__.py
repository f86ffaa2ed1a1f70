"""How brokers are reached: addresses, who we are to them, and how we know them."""
