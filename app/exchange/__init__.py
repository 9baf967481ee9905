"""Exchange 数据接口交互: provincial systems send their entries in batches and follow what changes."""
