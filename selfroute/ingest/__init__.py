"""Reading files into documents and splitting documents into chunks."""
