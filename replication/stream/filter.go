package stream

// excludes tells whether the rows of a table are passed over: it is called
// what the filter leaves out, and was not replicated under another name. A table
// that has a selected name only now comes by a snapshot at once: its later
// binlogs, and the one that gave it the name, are contained in that.
func (s *shift) excludes(table int64, name string, mapped bool) bool {
	if !mapped {
		return s.job.Excludes(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.excluded[table]
}

// exclude forgets a table in the middle of a shift.
func (s *shift) exclude(table int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.excluded == nil {
		s.excluded = map[int64]bool{}
	}
	s.excluded[table] = true
}
