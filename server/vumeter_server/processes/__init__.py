"""What starting processes takes: free addresses, and children that end with their parent."""
