package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// compare returns nil if the destination is right: the same tables, the same
// rows and the same definitions as the source.
func (s *scene) compare(ctx context.Context) error {
	if s.table != "" {
		name := s.table
		if s.current != "" {
			name = s.current
		}
		return s.compareTable(ctx, name, s.as)
	}
	want, err := harness.Tables(ctx, s.src, s.srcDB)
	if err != nil {
		return err
	}
	got, err := harness.Tables(ctx, s.dst, s.dstDB)
	if err != nil {
		return err
	}
	want = slices.DeleteFunc(want, func(name string) bool { return contains(s.sourceOnly, name) })
	got = slices.DeleteFunc(got, func(name string) bool { return contains(s.extra, name) })
	if !slices.Equal(want, got) {
		return fmt.Errorf("tables differ: source has %v, destination %v", want, got)
	}
	for _, name := range want {
		if err := s.compareTable(ctx, name, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) compareTable(ctx context.Context, source, destination string) error {
	if err := harness.CompareTables(ctx, s.src, s.srcDB, source, s.dst, s.dstDB, destination); err != nil {
		return err
	}
	want, err := createText(ctx, s.src, s.srcDB, source)
	if err != nil {
		return err
	}
	got, err := createText(ctx, s.dst, s.dstDB, destination)
	if err != nil {
		return err
	}
	if s.switched {
		want, got = binlogEnable.ReplaceAllString(want, ""), binlogEnable.ReplaceAllString(got, "")
	}
	// A destination under another name is its only difference.
	got = strings.Replace(got, "TABLE `"+destination+"`", "TABLE `"+source+"`", 1)
	if want != got {
		return fmt.Errorf("definitions of %s differ:\n%s", source, lineDifference(want, got))
	}
	return nil
}

// lateSnapshots is how many partial syncs more binlogs that are filed late may cost
// a scenario: a change that is found after a load of its table cannot be applied
// any more.
const lateSnapshots = 4

// verifyRestores checks how many snapshots the destination has restored. What was
// backed up under a wanted name may be another table by then: its rows would be
// right, its binlogs then come twice, and only the restore shows.
func (s *scene) verifyRestores(ctx context.Context) error {
	if s.restored == nil || s.late.Percent > 0 {
		return nil
	}
	states, err := column(ctx, s.dst, fmt.Sprintf("SHOW RESTORE FROM `%s`", s.dstDB), "State")
	if err != nil {
		return err
	}
	states = slices.DeleteFunc(states, func(state string) bool { return state != "FINISHED" })
	if n := len(states) - 1; n != *s.restored {
		return fmt.Errorf("the destination has restored %d snapshots after the first sync, want %d", n, *s.restored)
	}
	return nil
}

// verifySyncs checks the counters and reasons in job_progress.
func (s *scene) verifySyncs(ctx context.Context) error {
	p, err := s.ccr.Progress(ctx, s.job)
	if err != nil {
		return err
	}
	if os.Getenv("CCR_E2E_SYNCS") != "" {
		fmt.Fprintf(os.Stderr, "SYNCS %s %s full %d (want %d, %q) partial %d (want %d, %+v)\n", dorisVersion(), s.short(), p.FullSyncs-1, s.full, p.FullSyncInfo.Info, p.PartialSyncs, s.partial, p.PartialSyncInfo)
	}
	if p.FullSyncs != int64(1+s.full) {
		return fmt.Errorf("%d full syncs, want %d; the last one: %+v", p.FullSyncs, 1+s.full, p.FullSyncInfo)
	}
	least, most := s.partial, max(s.partial, s.partialMost)
	if s.late.Percent > 0 {
		least, most = 0, most+lateSnapshots // in another order a snapshot may not be needed
	}
	if p.PartialSyncs < int64(least) || p.PartialSyncs > int64(most) {
		return fmt.Errorf("%d partial syncs, want %d to %d; the last one: %+v", p.PartialSyncs, least, most, p.PartialSyncInfo)
	}
	why, again := p.FullSyncInfo.Info, s.full > 0
	switch {
	case s.full == 0 && why != "new job":
		return fmt.Errorf("the reason of the only full sync is %q", why)
	case !s.unsynced && p.FullSyncAt < s.began.FullSyncAt, !again && !s.unsynced && p.FullSyncAt != s.began.FullSyncAt:
		return fmt.Errorf("full_sync_start_at is %d, it was %d after the first", p.FullSyncAt, s.began.FullSyncAt)
	case (p.PartialSyncs > 0) != (p.PartialSyncInfo != nil), (p.PartialSyncs > 0) != (p.PartialSyncAt >= s.began.FullSyncAt && p.PartialSyncAt > 0):
		return fmt.Errorf("%d partial syncs, the last at %d: %+v", p.PartialSyncs, p.PartialSyncAt, p.PartialSyncInfo)
	case p.PartialSyncInfo != nil:
		why, again = p.PartialSyncInfo.Info, true
	}
	if s.late.Percent > 0 && p.PartialSyncs > 0 {
		return nil // what was filed late has reasons of its own
	}
	if again && (s.why == "" || !strings.Contains(why, s.why)) {
		return fmt.Errorf("the reason of the last sync is %q, want %q", why, s.why)
	}
	return nil
}

// Of these a destination differs by design (doris-binlogs.md 6.9,
// doris-sql.md 3.6).
var byDesign = regexp.MustCompile(`"(is_being_synced|colocate_with|storage_policy|dynamic_partition\.enable|_auto_bucket)" = "[^"]*",?\n?`)

// A table that came by a snapshot while its source did not record does not record
// either: each side has that for itself (docs/troubleshooting.md, Rows differ).
var binlogEnable = regexp.MustCompile(`"binlog\.enable" = "[^"]*",?\n?`)

// createText is SHOW CREATE TABLE without the database's name and without what
// differs by design.
func createText(ctx context.Context, db *sql.DB, database, table string) (string, error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SHOW CREATE TABLE `%s`.`%s`", database, table))
	if err != nil {
		return "", fmt.Errorf("definition of %s.%s: %w", database, table, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		return "", fmt.Errorf("definition of %s.%s: no row (%w)", database, table, err)
	}
	cells, scan := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		scan[i] = &cells[i]
	}
	if err := rows.Scan(scan...); err != nil {
		return "", fmt.Errorf("definition of %s.%s: %w", database, table, err)
	}
	text := strings.ReplaceAll(cells[1].String, "`"+database+"`", "`db`")
	return byDesign.ReplaceAllString(text, ""), rows.Err()
}

// column reads one column of a statement's result as text.
func column(ctx context.Context, db *sql.DB, statement, name string) ([]string, error) {
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	at := slices.IndexFunc(columns, func(c string) bool { return strings.EqualFold(c, name) })
	if at < 0 {
		return nil, fmt.Errorf("%s: no column %s in %v", statement, name, columns)
	}
	cells, scan := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		scan[i] = &cells[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(scan...); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
		out = append(out, cells[at].String)
	}
	return out, rows.Err()
}

// lineDifference names the lines of which only one text has any.
func lineDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for _, line := range a {
		if !contains(b, line) {
			out = append(out, "source:      "+line)
		}
	}
	for _, line := range b {
		if !contains(a, line) {
			out = append(out, "destination: "+line)
		}
	}
	if len(out) == 0 {
		out = []string{"the same lines in another order:", want, got}
	}
	return strings.Join(out, "\n")
}
