package job

// Features are switches that change what jobs do, in the words of the existing
// tool's feature gates (http-api.md 4.2). They are settings of a process, not of
// a job. The zero value is the default.
type Features struct {
	// CleanTableAndPartitions lets a full sync remove what the source does not
	// have: a database job the destination database's other tables and views,
	// every job the other partitions of its tables. Off by default: the tables
	// may belong to somebody else.
	CleanTableAndPartitions bool
}
