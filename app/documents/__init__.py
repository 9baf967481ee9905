"""Documents: photos and scans of intakes and permits."""
