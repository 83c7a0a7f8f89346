"""What an action is made with: the contract it keeps, and the parts that several of them share."""
