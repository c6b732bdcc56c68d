"""The compiler of Milepost: lifecycle definitions to typed tables, diagrams and reference pages."""
