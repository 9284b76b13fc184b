"""What a delivery stream does to its records before they are delivered."""
