package problem

import (
	"fmt"
)

// Mismatch says that the metadata of the two sides do not fit an UPSERT. With
// fresh metadata it means that the table needs a snapshot.
type Mismatch struct {
	Table int64 // source id
	Text  string
	// Untold is set when the source lacks what it does not report as dropped: the
	// binlog of the drop, from which it knows that, may be on its way
	// (doris-binlogs.md 1.2, 1.8).
	Untold bool
}

// Error implements error.
func (m *Mismatch) Error() string { return m.Text }

// Errorf is a mismatch of the same table.
func (m *Mismatch) Errorf(format string, args ...any) *Mismatch {
	return &Mismatch{Table: m.Table, Text: fmt.Sprintf(format, args...)}
}

// Untoldf is Errorf for what may only not have been told yet.
func (m *Mismatch) Untoldf(format string, args ...any) *Mismatch {
	return &Mismatch{Table: m.Table, Text: fmt.Sprintf(format, args...), Untold: true}
}
