"""What crosses a border: records, frames, columns, documents, reports, and the error tree."""
