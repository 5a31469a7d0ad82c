package core

import (
	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// CheckLoad refuses loads into what a restore is about to overwrite
// (doris-sql.md 4.7). It needs the lock.
func CheckLoad(t *catalog.Table, p *catalog.Partition) error {
	if t.State != catalog.StateRestore {
		return nil
	}
	if p != nil && p.State == catalog.StateRestore {
		return Errorf("Table [%s], Partition [%s] is in restore process. Can not load into it", t.Name, p.Name)
	}
	if !anyRestoring(t) {
		return Errorf("Table %s is in restore process. Can not load into it", t.Name)
	}
	return nil
}

// CheckSelect refuses reads of a partition that a restore is about to overwrite
// (doris-sql.md 4.7). It needs the lock.
func CheckSelect(p *catalog.Partition) error {
	if p.State == catalog.StateRestore {
		return Errorf("Partition state is not NORMAL: %s:RESTORING", p.Name)
	}
	return nil
}

// CheckAlter refuses ALTER, TRUNCATE, RENAME and REPLACE of a table that is not
// NORMAL (doris-sql.md 4.7, 4.8). It needs the lock.
func CheckAlter(t *catalog.Table) error {
	if t.State != "" && t.State != catalog.StateNormal {
		return Errorf("Table[%s]'s state(%s) is not NORMAL. Do not allow doing ALTER ops", t.Name, t.State)
	}
	if t.InAtomicRestore {
		return Errorf("Table[%s] is in atomic restore state. Do not allow doing ALTER ops", t.Name)
	}
	return nil
}

// CheckDrop refuses DROP TABLE without FORCE of a table that is not NORMAL
// (doris-sql.md 4.7, 4.8). It needs the lock.
func CheckDrop(t *catalog.Table, force bool) error {
	if force {
		return nil
	}
	const hint = ` If you want to forcibly drop(cannot be recovered), please use "DROP table FORCE".`
	if t.InAtomicRestore {
		return Errorf("The table [%s]'s state is in atomic restore, cannot be dropped. please cancel the restore operation on olap table firstly."+hint, t.Name)
	}
	if t.State != "" && t.State != catalog.StateNormal {
		return Errorf("The table [%s]'s state is %s, cannot be dropped. please cancel the operation on olap table firstly."+hint, t.Name, t.State)
	}
	return nil
}

func anyRestoring(t *catalog.Table) bool {
	for _, p := range t.Partitions {
		if p.State == catalog.StateRestore {
			return true
		}
	}
	return false
}
