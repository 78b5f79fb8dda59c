"""Running a document, and what people see of it."""
