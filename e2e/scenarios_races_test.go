package e2e

// Moments of a backup, as fault points of the simulator.
const (
	submitting = "backup.submit"      // ccr has chosen what to back up, and Doris has not looked for it
	pending    = "backup.PENDING"     // Doris has the list of tables, and has not drawn the barriers
	barrier    = "backup.SNAPSHOTING" // the barriers have been drawn
)

// atThe plays steps that make ccr take a snapshot, and others at a moment of its
// backup.
func atThe(moment string, trigger, then []step) []step {
	all := append(steps(held(moment)), trigger...)
	all = append(all, reached(moment))
	return append(append(all, then...), released(moment))
}

// race is one of rows 1 to 9 with the job running.
type race struct {
	row                  int
	name                 string
	setup, trigger, then []step
	rows                 rows
	absent               []string
	// How many partial syncs there are, and why the last, if then happens before
	// the barrier of the snapshot or after it.
	before, after       int
	whyBefore, whyAfter string
	// restored counts the snapshots that are restored if then happens before the
	// barrier; after it, it is one. A backup that holds another table than was wanted
	// must not be restored, whatever else brings the rows.
	restored *int
}

// racesAtTheBackup are rows 1 to 9 with the job running: the table of a partial
// sync changes its name or identity, or is gone, after ccr has looked at it and
// before BACKUP does (which says Unknown table, or takes another table of that
// name), between BACKUP and its barriers, and after those.
func racesAtTheBackup() []scenario {
	var list []scenario
	for _, r := range races() {
		for _, at := range []struct{ name, moment string }{{"before_backup", submitting}, {"before_barrier", pending}, {"after_barrier", barrier}} {
			s := scenario{row: r.row, name: r.name + "_" + at.name, alone: true, setup: r.setup, steps: atThe(at.moment, r.trigger, r.then),
				rows: r.rows, absent: r.absent, partial: r.before, why: r.whyBefore, restored: r.restored}
			if at.moment == barrier {
				s.partial, s.why = r.after, r.whyAfter
				if s.restored != nil {
					s.restored = new(1)
				}
			}
			list = append(list, s)
		}
	}
	return list
}

func races() []race {
	const ofA, swapped = "of table a", "and one of them is in a snapshot already"
	one := steps(plain("t", "base"))
	two := steps(plain("a", "b", "base"), insert("a", 1))
	changed := func(table string) []step { return steps(schemaChange(table), insert(table, 4)) }
	return []race{
		{row: 1, name: "ps_tbl_drop", setup: one, trigger: changed("t"), then: steps(insert("base", 1), drop("t"), insert("base", 1)),
			rows: rows{"base": 2}, absent: []string{"t"}, before: 1, after: 1, whyBefore: ofT, whyAfter: ofT, restored: new(0)},
		{row: 2, name: "ps_tbl_drop_create", setup: one, trigger: changed("t"), then: steps(drop("t"), plain("t"), insert("t", 1)),
			rows: rows{"t": 1}, before: 1, after: 1, whyBefore: ofT, whyAfter: ofT, restored: new(0)},
		{row: 3, name: "ps_tbl_rename", setup: one, trigger: changed("t"), then: steps(rename("t", "t2"), insert("t2", 1)),
			rows: rows{"t2": 5}, absent: []string{"t"}, before: 2, after: 1, whyBefore: "table t is called t2 now", whyAfter: ofT, restored: new(1)},
		{row: 4, name: "ps_tbl_rename_create", setup: one, trigger: changed("t"), then: steps(rename("t", "t2"), insert("t2", 1), plain("t"), insert("t", 1)),
			rows: rows{"t2": 5, "t": 1}, before: 2, after: 1, whyBefore: "table t is called t2 now", whyAfter: ofT, restored: new(1)},
		{row: 5, name: "ps_tbl_replace", setup: two, trigger: changed("a"), then: steps(replaceTable("a", "b"), insert("a", 1)),
			rows: rows{"a": 1}, absent: []string{"b"}, before: 1, after: 1, whyBefore: ofA, whyAfter: ofA, restored: new(0)},
		{row: 6, name: "ps_tbl_replace_1", setup: two, trigger: changed("a"), then: steps(replaceTable("b", "a"), insert("b", 1)),
			rows: rows{"b": 6}, absent: []string{"a"}, before: 2, after: 1, whyBefore: "table a is called b now", whyAfter: ofA, restored: new(1)},
		{row: 7, name: "ps_tbl_replace_swap", setup: two, trigger: changed("a"), then: steps(swapTables("a", "b"), insert("a", 1)),
			rows: rows{"a": 1, "b": 5}, before: 3, after: 1, whyBefore: swapped, whyAfter: ofA},
		{row: 8, name: "ps_tbl_replace_swap_1", setup: two, trigger: changed("a"), then: steps(swapTables("b", "a"), insert("a", 1)),
			rows: rows{"a": 1, "b": 5}, before: 3, after: 1, whyBefore: swapped, whyAfter: ofA},
		{row: 9, name: "ps_tbl_recover", setup: two, trigger: steps(run("DROP TABLE b", "RECOVER TABLE b")),
			then: steps(replaceTable("a", "b"), recoverReplaced("a", "b"), insert("a", 1), insertSinceNew("b", 1)),
			rows: since(rows{"a": 1, "b": 2}, rows{"a": 1}), absent: since(nil, []string{"b"}), before: since(3, 2), after: since(2, 1),
			whyBefore: since("table a was recovered", "table b is called a now"), whyAfter: since("table a was recovered", "table b was recovered")},
	}
}
